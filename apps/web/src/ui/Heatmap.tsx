import { useLayoutEffect, useRef } from 'preact/hooks';
import { isDark } from '../state/settings.ts';
import { paintHeat, rampOn } from './heat.ts';
import './heatmap.css';

interface Props {
  /** [rows, columns] row-major, from `offset` on. */
  readonly weights: Float32Array;
  readonly offset?: number;
  readonly rows: number;
  readonly columns: number;
  /** The weight drawn with the strongest colour. Default 1. */
  readonly max?: number;
  readonly label: string;
}

/** A picture of numbers from 0 on, as large as its box. What the numbers are is told beside it. */
export function Heatmap({ weights, offset = 0, rows, columns, max = 1, label }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const dark = isDark();
  useLayoutEffect(() => {
    if (canvas.current) paintHeat(canvas.current, weights, offset, [rows, columns], { max, ramp: rampOn(dark) });
  }, [weights, offset, rows, columns, max, dark]);
  return <canvas class="heatmap" ref={canvas} role="img" aria-label={label} />;
}
