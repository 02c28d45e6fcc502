import type { Curve, CurvesOptions } from './curves.ts';
import { curvesPanel } from './curves-panel.ts';
import { panelsSvg } from './panels-svg.ts';
import type { GlyphSource } from './svg-text.ts';

/**
 * Curves as one self-contained SVG document on a white ground, each named at its end; `glyphs` as in `drawSvg`.
 *
 * @throws QkvError `usage` for no curves, one without points, and values that a logarithmic axis cannot show
 */
export function drawCurvesSvg(curves: readonly Curve[], options: CurvesOptions, glyphs?: GlyphSource): string {
  return panelsSvg([{ panels: [curvesPanel(curves, options, glyphs)], columns: 1 }], { id: 'curves' });
}
