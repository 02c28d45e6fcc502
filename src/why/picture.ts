import { curvesPanel } from '../draw/curves-panel.ts';
import { matrixPanel } from '../draw/matrix-panel.ts';
import { panelsSvg } from '../draw/panels-svg.ts';
import type { Picture } from '../draw/svg.ts';
import type { GlyphSource } from '../draw/svg-text.ts';
import type { Chart, Findings, Matrix } from './experiment.ts';
import type { Language } from './format.ts';

/** A chart as one SVG document; `glyphs` as in `drawSvg`. */
export function drawChart(chart: Chart, language: Language, glyphs?: GlyphSource): string {
  return panelsSvg([{ panels: [chartPanel(chart, language, glyphs)], columns: 1 }], { id: chart.name });
}

/** All matrices of an experiment side by side as one SVG document. */
export function drawMatrices(matrices: readonly Matrix[], language: Language, glyphs?: GlyphSource): string {
  const panels = matrices.map((matrix) => panelOf(matrix, language, glyphs));
  return panelsSvg([{ panels, columns: MATRIX_COLUMNS }], { id: 'matrices' });
}

/** All pictures of an experiment as one SVG document. */
export function drawFindings(findings: Findings, language: Language, glyphs?: GlyphSource): string {
  const charts = findings.charts.map((chart) => chartPanel(chart, language, glyphs));
  const matrices = (findings.matrices ?? []).map((matrix) => panelOf(matrix, language, glyphs));
  const blocks = [
    { panels: charts, columns: 2 },
    { panels: matrices, columns: MATRIX_COLUMNS },
  ];
  return panelsSvg(blocks, { id: findings.experiment, title: findings.title[language] });
}

const MATRIX_COLUMNS = 4;

function chartPanel({ title, x, y, series }: Chart, language: Language, glyphs: GlyphSource | undefined): Picture {
  const curves = series.map(({ name, points, isReference = false }) => ({ name: name[language], points, isReference }));
  return curvesPanel(
    curves,
    {
      title: title[language],
      xName: x.label[language],
      yName: y.label[language],
      logX: x.scale === 'log',
      logY: y.scale === 'log',
      ...(x.ticks && { xTicks: x.ticks }),
    },
    glyphs,
  );
}

function panelOf(
  { title, rows, columns, values }: Matrix,
  language: Language,
  glyphs: GlyphSource | undefined,
): Picture {
  return matrixPanel(
    values,
    {
      title: title[language],
      rowLabel: rows.label[language],
      columnLabel: columns.label[language],
      rowNames: rows.names,
      columnNames: columns.names,
    },
    glyphs,
  );
}
