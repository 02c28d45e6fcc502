import { useMemo, useState } from 'preact/hooks';
import { sinusoidalPositions } from '../../../../../src/nn/positions.ts';
import { t } from '../../i18n/why.ts';
import { CurveChart } from '../../ui/chart/CurveChart.tsx';
import { LabelledHeat } from '../../ui/LabelledHeat.tsx';
import { Slider } from '../../ui/Slider.tsx';
import { ValueSlider } from '../../ui/ValueSlider.tsx';

const widths = [8, 16, 32, 64, 128, 256];
const counts = [16, 32, 64, 128];

/** The sinusoids of a chosen width, and how their products fall with the distance. */
export function PositionsTry() {
  const [width, setWidth] = useState(64);
  const [count, setCount] = useState(64);
  const [from, setFrom] = useState(0);
  const table = useMemo(() => sinusoidalPositions(count, width, 'interleaved').data as Float32Array, [count, width]);
  const start = Math.min(from, count - 1);
  const shifted = useMemo(() => table.map((value) => (value + 1) / 2), [table]);
  const points = Array.from({ length: count }, (_, position) => ({
    x: position - start,
    y: product(table, width, start, position) / width,
  }));
  return (
    <>
      <p>{t('positions.what')}</p>
      <div class="why-controls">
        <ValueSlider
          label={t('positions.width')}
          values={widths}
          value={width}
          shown={String(width)}
          onChange={setWidth}
        />
        <ValueSlider
          label={t('positions.count')}
          values={counts}
          value={count}
          shown={String(count)}
          onChange={setCount}
        />
        <Slider
          label={t('positions.reference')}
          min={0}
          max={count - 1}
          step={1}
          value={start}
          shown={String(start)}
          onInput={setFrom}
        />
      </div>
      <div class="why-columns">
        <section>
          <h3>{t('positions.table')}</h3>
          <LabelledHeat
            weights={shifted}
            values={table}
            rows={names(count)}
            columns={names(width)}
            isWide
            label={t('positions.table')}
            rowsLabel={t('positions.rows')}
            columnsLabel={t('positions.columns')}
            hint={t('heat.hint')}
          />
        </section>
        <CurveChart
          name={`positions-products-${width}`}
          title={t('positions.products')}
          x={{ label: t('positions.distance'), scale: 'linear' }}
          y={{ label: t('positions.product'), scale: 'linear' }}
          series={[{ name: t('positions.from', { position: start }), points }]}
        />
      </div>
    </>
  );
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i));
}

function product(table: Float32Array, width: number, a: number, b: number): number {
  let sum = 0;
  for (let i = 0; i < width; i++) sum += table[a * width + i]! * table[b * width + i]!;
  return sum;
}
