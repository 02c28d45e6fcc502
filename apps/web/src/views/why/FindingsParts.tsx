import type { Both, Chart, Findings, Matrix, Table } from '../../../../../src/why/experiment.ts';
import { figure } from '../../../../../src/why/figures.ts';
import { t } from '../../i18n/why.ts';
import { language } from '../../state/settings.ts';
import { CurveChart } from '../../ui/chart/CurveChart.tsx';
import { LabelledHeat } from '../../ui/LabelledHeat.tsx';
import { Prose } from './Prose.tsx';

/** In the page's language. */
export function say(text: Both): string {
  return text[language.value];
}

export function ChartPart({ experiment, chart }: { readonly experiment: string; readonly chart: Chart }) {
  return (
    <CurveChart
      name={`${experiment}-${chart.name}`}
      title={say(chart.title)}
      x={{
        label: say(chart.x.label),
        scale: chart.x.scale,
        ...(chart.x.ticks !== undefined && { ticks: chart.x.ticks }),
      }}
      y={{ label: say(chart.y.label), scale: chart.y.scale }}
      series={chart.series.map(({ name, points, isReference }) => ({
        name: say(name),
        points,
        ...(isReference !== undefined && { isReference }),
      }))}
    />
  );
}

export function TablePart({ table }: { readonly table: Table }) {
  const isNumeric = table.columns.map((_, i) => table.rows.every((row) => typeof row[i] === 'number'));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section class="why-table" aria-label={say(table.title)} tabIndex={0}>
      <table>
        <caption>{say(table.title)}</caption>
        <thead>
          <tr>
            {table.columns.map((column, i) => (
              <th key={i} scope="col" data-number={isNumeric[i] || undefined}>
                {say(column)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, r) => (
            <tr key={r}>
              {row.map((cell, i) => (
                <td key={i} data-number={isNumeric[i] || undefined}>
                  {typeof cell === 'number' ? figure(cell) : typeof cell === 'string' ? cell : say(cell)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

export function MatrixPart({ matrix }: { readonly matrix: Matrix }) {
  const values = Float32Array.from(matrix.values.flat());
  const max = values.reduce((a, b) => Math.max(a, b), 0) || 1;
  return (
    <section class="why-matrix">
      <h3>{say(matrix.title)}</h3>
      <LabelledHeat
        weights={values}
        rows={matrix.rows.names}
        columns={matrix.columns.names}
        max={max}
        label={say(matrix.title)}
        rowsLabel={say(matrix.rows.label)}
        columnsLabel={say(matrix.columns.label)}
        hint={t('heat.hint')}
      />
    </section>
  );
}

export function ClaimsPart({ claims }: Pick<Findings, 'claims'>) {
  return (
    <ul class="why-claims">
      {claims.map((claim) => (
        <li key={claim.text.en} data-holds={claim.holds || undefined}>
          <p>
            <span class="why-verdict">{t(claim.holds ? 'holds' : 'fails')}</span> <Prose text={say(claim.text)} />
          </p>
          <p class="muted small">
            <Prose text={say(claim.evidence)} />
          </p>
        </li>
      ))}
    </ul>
  );
}

export function CaveatsPart({ caveats }: Pick<Findings, 'caveats'>) {
  return (
    <ul class="why-list">
      {caveats.map((caveat) => (
        <li key={caveat.en}>
          <Prose text={say(caveat)} />
        </li>
      ))}
    </ul>
  );
}
