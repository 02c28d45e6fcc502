import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { hexColour, kindColour } from '../../../../../src/draw/colour.ts';
import { type CurvePoint, tickText } from '../../../../../src/draw/curves.ts';
import { drawCurvesSvg } from '../../../../../src/draw/curves-svg.ts';
import { ExportMenu } from '../../export/ExportMenu.tsx';
import { t } from '../../i18n/chart.ts';
import { isDark } from '../../state/settings.ts';
import { rove } from '../rove.ts';
import { Toggle } from '../Toggle.tsx';
import { type ChartGeometry, chartGeometry, nearestIndex, pointAt, xValues } from './chartGeometry.ts';
import { valueText } from './valueText.ts';
import './chart.css';

export interface ChartSeries {
  readonly name: string;
  readonly points: readonly CurvePoint[];
  /** Drawn grey and dashed: a theory, a baseline. */
  readonly isReference?: boolean;
}

export interface ChartAxis {
  readonly label: string;
  readonly scale: 'linear' | 'log';
  readonly ticks?: readonly number[];
}

interface Props {
  /** Of the files that are saved. */
  readonly name: string;
  readonly title: string;
  readonly x: ChartAxis;
  readonly y: ChartAxis;
  readonly series: readonly ChartSeries[];
  /** px */
  readonly height?: number;
  /** Without its switches: one of several small ones. */
  readonly isSmall?: boolean;
}

const MAX_DOTS = 60;

/**
 * Curves with their values: a pointer or the arrow keys go along x, the legend shows the value of each series there, and switches
 * it on and off.
 */
export function CurveChart({ name, title, x, y, series, height = 260, isSmall = false }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [scales, setScales] = useState<{ readonly x?: boolean; readonly y?: boolean }>({});
  const [at, setAt] = useState<number | null>(null);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(() => setWidth(box.current!.clientWidth));
    observer.observe(box.current!);
    setWidth(box.current!.clientWidth);
    return () => observer.disconnect();
  }, []);
  const filled = series.filter(({ points }) => points.length > 0);
  const visible = filled.filter((one) => !hidden.has(one.name));
  const points = visible.flatMap((one) => one.points);
  const canLogX = points.every((point) => point.x > 0);
  const canLogY = points.every((point) => (point.low ?? point.y) > 0);
  const logX = canLogX && (scales.x ?? x.scale === 'log');
  const logY = canLogY && (scales.y ?? y.scale === 'log');
  const xs = useMemo(() => xValues(visible), [series, hidden]);
  const geometry =
    width > 0 && xs.length > 0 ? chartGeometry(visible, { width, height }, { logX, logY, xTicks: x.ticks }) : null;
  const index = at === null ? null : Math.min(at, xs.length - 1);
  const here = index === null ? undefined : xs[index];
  const colours = coloursOf(series);
  const spoken = (value: number): string =>
    [
      `${x.label} ${valueText(value)}`,
      ...visible.map((one) => `${one.name} ${valueText(pointAt(one, value)!.y)}`),
    ].join('; ');
  const picture = () =>
    visible.length === 0
      ? null
      : {
          name,
          svg: () =>
            drawCurvesSvg(visible, {
              title,
              xName: x.label,
              yName: y.label,
              logX,
              logY,
              ...(x.ticks && { xTicks: x.ticks }),
            }),
          table: () => [
            ['series', 'x', 'y', 'low', 'high'],
            ...visible.flatMap((one) =>
              one.points.map((point) => [one.name, point.x, point.y, point.low ?? '', point.high ?? '']),
            ),
          ],
          json: () => ({ title, x: x.label, y: y.label, series: visible }),
        };
  return (
    <figure class="chart" data-small={isSmall || undefined}>
      <figcaption>
        <h3>{title}</h3>
        <span class="chart-tools">
          {canLogX && x.scale === 'log' && (
            <Toggle label={t('log.x')} isOn={logX} onChange={(isOn) => setScales({ ...scales, x: isOn })} />
          )}
          {!isSmall && (
            <Toggle
              label={t('log.y')}
              isOn={logY}
              isDisabled={!canLogY}
              onChange={(isOn) => setScales({ ...scales, y: isOn })}
            />
          )}
          <ExportMenu picture={picture} />
        </span>
      </figcaption>
      {y.label !== '' && <p class="chart-y">{y.label}</p>}
      <div class="chart-box" ref={box} style={{ height: `${height}px` }}>
        {geometry === null ? (
          <p class="muted">{t('nothing')}</p>
        ) : (
          <>
            <Drawing geometry={geometry} series={visible} colours={colours} here={here} />
            <div
              class="chart-cursor"
              role="slider"
              tabIndex={0}
              aria-label={t('cursor', { title })}
              aria-valuemin={0}
              aria-valuemax={xs.length - 1}
              aria-valuenow={index ?? 0}
              aria-valuetext={here === undefined ? t('cursor.none') : spoken(here)}
              onKeyDown={(event) => {
                if (event.key === 'Escape') setAt(null);
                const next = rove(event.key, index ?? (event.key === 'ArrowLeft' ? xs.length : -1), xs.length);
                if (next === null) return;
                event.preventDefault();
                setAt(Math.max(0, Math.min(xs.length - 1, next)));
              }}
              onPointerMove={(event) => {
                const { left } = event.currentTarget.getBoundingClientRect();
                setAt(nearestIndex(xs, event.clientX - left, geometry.xOf));
              }}
              onPointerLeave={() => setAt(null)}
              onBlur={() => setAt(null)}
            />
          </>
        )}
      </div>
      <p class="chart-x">
        {x.label}
        {here !== undefined && <b class="number"> {valueText(here)}</b>}
      </p>
      <ul class="chart-legend">
        {filled.map((one) => {
          const point = pointAt(one, here ?? Number.POSITIVE_INFINITY) ?? one.points.at(-1)!;
          const shown = here === undefined ? one.points.at(-1)! : point;
          const isElsewhere = here !== undefined && shown.x !== here;
          return (
            <li key={one.name}>
              <button
                type="button"
                class="chart-key"
                aria-pressed={!hidden.has(one.name)}
                onClick={() => setHidden(toggled(hidden, one.name))}
              >
                <svg width="18" height="8" aria-hidden="true">
                  <path
                    d="M0 4h18"
                    stroke={colours.get(one.name)!}
                    stroke-width="2"
                    stroke-dasharray={one.isReference ? '4 3' : undefined}
                  />
                </svg>
                <bdi>{one.name}</bdi>
              </button>
              <span class="number">
                {valueText(shown.y)}
                {shown.low !== undefined && shown.high !== undefined && (
                  <span class="muted">
                    {' '}
                    {valueText(shown.low)}–{valueText(shown.high)}
                  </span>
                )}
                {isElsewhere && <span class="muted"> @ {valueText(shown.x)}</span>}
              </span>
            </li>
          );
        })}
      </ul>
    </figure>
  );
}

function toggled(set: ReadonlySet<string>, name: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(name)) next.add(name);
  return next;
}

function coloursOf(series: readonly ChartSeries[]): ReadonlyMap<string, string> {
  const ground = isDark() ? 'dark' : 'light';
  let next = 0;
  return new Map(
    series.map(({ name, isReference }) => [name, isReference ? 'var(--muted)' : hexColour(kindColour(next++, ground))]),
  );
}

interface DrawingProps {
  readonly geometry: ChartGeometry;
  readonly series: readonly ChartSeries[];
  readonly colours: ReadonlyMap<string, string>;
  readonly here: number | undefined;
}

function Drawing({ geometry, series, colours, here }: DrawingProps) {
  const { width, height, left, right, top, bottom, xOf, yOf } = geometry;
  return (
    <svg class="chart-drawing" width={width} height={height} aria-hidden="true">
      {geometry.y.ticks.map((tick) => (
        <g key={`y${tick}`}>
          <path class="chart-grid" d={`M${left} ${round(yOf(tick))}H${right}`} />
          <text x={left - 6} y={yOf(tick)} text-anchor="end" dominant-baseline="central">
            {tickText(tick)}
          </text>
        </g>
      ))}
      {geometry.x.ticks.map((tick) => (
        <g key={`x${tick}`}>
          <path class="chart-axis" d={`M${round(xOf(tick))} ${bottom}v4`} />
          <text x={xOf(tick)} y={bottom + 16} text-anchor="middle">
            {tickText(tick)}
          </text>
        </g>
      ))}
      <path class="chart-axis" d={`M${left} ${bottom}H${right}`} />
      {here !== undefined && <path class="chart-here" d={`M${round(xOf(here))} ${top}V${bottom}`} />}
      {series.map((one) => {
        const colour = colours.get(one.name)!;
        const marked = here === undefined ? undefined : pointAt(one, here);
        return (
          <g key={one.name}>
            {one.points.some(({ low }) => low !== undefined) && (
              <path d={band(one, geometry)} fill={colour} opacity={0.16} />
            )}
            <path
              d={line(one.points, ({ y }) => y, geometry)}
              stroke={colour}
              stroke-width={one.isReference ? 1.25 : 1.75}
              stroke-dasharray={one.isReference ? '5 4' : undefined}
              fill="none"
              stroke-linejoin="round"
            />
            {one.points.length <= MAX_DOTS &&
              !one.isReference &&
              one.points.map(({ x, y }) => (
                <circle key={x} cx={round(xOf(x))} cy={round(yOf(y))} r={2} fill={colour} />
              ))}
            {marked && <circle cx={xOf(marked.x)} cy={yOf(marked.y)} r={4} fill={colour} />}
          </g>
        );
      })}
    </svg>
  );
}

function line(
  points: readonly CurvePoint[],
  heightOf: (point: CurvePoint) => number,
  { xOf, yOf }: ChartGeometry,
): string {
  return `M${points.map((point) => `${round(xOf(point.x))} ${round(yOf(heightOf(point)))}`).join('L')}`;
}

function band({ points }: ChartSeries, geometry: ChartGeometry): string {
  const upper = line(points, ({ y, high = y }) => high, geometry);
  const lower = line([...points].reverse(), ({ y, low = y }) => low, geometry);
  return `${upper}L${lower.slice(1)}Z`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
