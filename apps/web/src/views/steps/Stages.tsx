import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { t } from '../../i18n/steps.ts';
import { isolated } from '../../ui/isolated.ts';
import { TokenText } from '../../ui/TokenText.tsx';
import type { HeadSteps, Sublayer, Token } from '../../worker/contract.ts';
import { formatNumber } from '../numbers/formatNumber.ts';
import { NumberGrid, type NumberRow } from '../numbers/NumberGrid.tsx';
import { formulaFacts } from './formulas.tsx';
import { InNumbers } from './InNumbers.tsx';
import { FEW, KeyTable, type Quantity } from './KeyTable.tsx';
import { keysShown, strongestKey } from './keysShown.ts';
import { LogitTable } from './LogitTable.tsx';
import { Stage } from './Stage.tsx';
import { largestDifference, moments, ownIndex, row, type StageName, streamSign } from './stages.ts';
import {
  keyTokens,
  position,
  predicts,
  queryTokens,
  type StepsAnswer,
  show,
  stage,
  stages,
  temperature,
} from './state.ts';

/** All stages below each other, or the current one alone. */
export function Stages({ answer }: { readonly answer: StepsAnswer }): JSX.Element {
  const { steps, before } = answer;
  const picked = useSignal<number | null>(null);
  const where = `${steps.place.path}/${steps.head}/${steps.position}`;
  useEffect(() => {
    picked.value = null;
  }, [where]);
  const facts = formulaFacts(steps, temperature.value);
  const shared: Shared = {
    answer,
    tokens: keyTokens.value,
    picked: Math.min(picked.value ?? strongestKey(steps.weights), steps.weights.length - 1),
    onPick: (key) => (picked.value = key),
  };
  const shown = show.value === 'all' ? stages.value : [stage.value];
  return (
    <div class={before ? 'stages is-compared' : 'stages'}>
      {shown.map((name) => (
        <Stage key={name} name={name} facts={facts}>
          {parts[name](shared)}
        </Stage>
      ))}
    </div>
  );
}

interface Shared {
  readonly answer: StepsAnswer;
  readonly tokens: readonly Token[];
  readonly picked: number;
  readonly onPick: (key: number) => void;
}

type VectorName = 'query' | 'context' | 'concat' | 'attentionOut';

const parts: Readonly<Record<StageName, (shared: Shared) => JSX.Element>> = {
  selfFirst: (shared) => <Added shared={shared} index={0} />,
  query: (shared) => (
    <>
      {shared.answer.steps.place.kind === 'cross' && <p class="muted small">{t('cross.hint')}</p>}
      <Stream shared={shared} index={ownIndex(shared.answer.steps)} />
      <Vector shared={shared} name="query" sign="q" />
    </>
  ),
  keys: (shared) => <Rows shared={shared} matrix="keys" sign="k" />,
  products: (shared) => <ByKey shared={shared} quantity="products" />,
  scaled: (shared) => <ByKey shared={shared} quantity="scaled" />,
  masked: (shared) => <ByKey shared={shared} quantity="masked" />,
  softmax: (shared) => {
    const { weights } = shared.answer.steps;
    const total = weights.reduce((all, weight) => all + weight, 0);
    return (
      <>
        <ByKey shared={shared} quantity="weights" />
        <p class="muted small">{t('sum', { sum: total.toFixed(4) })}</p>
      </>
    );
  },
  context: (shared) => (
    <>
      <Rows shared={shared} matrix="values" sign="v" />
      <Vector shared={shared} name="context" sign="z" />
    </>
  ),
  concat: (shared) => {
    const { head, headSize } = shared.answer.steps;
    return <Vector shared={shared} name="concat" sign="z" marked={[head * headSize, (head + 1) * headSize]} />;
  },
  out: (shared) => <Vector shared={shared} name="attentionOut" sign="o" />,
  residual: (shared) => <Added shared={shared} index={ownIndex(shared.answer.steps)} />,
  crossNext: (shared) => <Added shared={shared} index={1} />,
  norm: (shared) => <Norm shared={shared} />,
  mlp: (shared) => <Out shared={shared} index={shared.answer.steps.sublayers.length - 1} />,
  post: (shared) => <Added shared={shared} index={shared.answer.steps.sublayers.length - 1} />,
  logits: (shared) => <Logits shared={shared} />,
};

function Vector({ shared, name, sign, marked }: VectorProps): JSX.Element {
  const { steps, before } = shared.answer;
  return (
    <Strip
      sign={sign}
      label={t(`vector.${name}`)}
      data={steps[name]}
      before={before?.steps[name]}
      {...(marked && { marked })}
    />
  );
}

interface StripProps {
  readonly sign: string;
  readonly label: string;
  readonly data: Float32Array;
  readonly before: Float32Array | undefined;
  readonly marked?: readonly [number, number];
}

/** One vector as a strip, and how far it is from what it was. */
function Strip({ sign, label, data, before, marked }: StripProps): JSX.Element {
  const isOther = before !== undefined && largestDifference(data, before) > 0;
  return (
    <figure class="strip">
      <figcaption>
        <b class="sign">{sign}</b> {label} <span class="muted">{t('width', { count: data.length })}</span>
        {before && <Difference value={largestDifference(data, before)} />}
      </figcaption>
      <NumberGrid
        label={`${label} ${sign}`}
        hint={t('grid.hint')}
        {...(marked && { marked })}
        rows={[{ key: sign, label: '', name: sign, data, before: isOther ? before : undefined }]}
      />
    </figure>
  );
}

interface VectorProps {
  readonly shared: Shared;
  readonly name: VectorName;
  readonly sign: string;
  readonly marked?: readonly [number, number];
}

function Difference({ value }: { readonly value: number }): JSX.Element | null {
  if (value === 0) return null;
  return <span class="edited-note">{t('difference', { difference: formatNumber(value) })}</span>;
}

/** Keys or values, a row for each token; values with the weight that they get. */
function Rows({ shared, matrix, sign }: { shared: Shared; matrix: 'keys' | 'values'; sign: string }): JSX.Element {
  const { answer, tokens, picked } = shared;
  const { steps, before } = answer;
  const shown = keysShown(steps.weights, picked, FEW, false);
  const rows = shown.map((k): NumberRow => {
    const text = tokens[k]?.text ?? '';
    return {
      key: String(k),
      label: (
        <>
          <TokenText text={text} />
          <sub class="muted">{k}</sub>
          {matrix === 'values' && <span class="number">{formatNumber(steps.weights[k]!)}</span>}
        </>
      ),
      name: `${sign}(${isolated(text)} ${k})`,
      data: row(steps[matrix], k, steps.headSize),
      before: before ? row(before.steps[matrix], k, steps.headSize) : undefined,
      isMarked: k === picked,
    };
  });
  return (
    <figure class="strip">
      <figcaption>
        {t(matrix === 'keys' ? 'keys.caption' : 'values')}{' '}
        <span class="muted">{t('keys.shown', { shown: shown.length, count: tokens.length })}</span>
        {before && <Difference value={largestDifference(steps[matrix], before.steps[matrix])} />}
      </figcaption>
      <NumberGrid label={t(matrix === 'keys' ? 'keys.caption' : 'values')} hint={t('grid.hint.rows')} rows={rows} />
    </figure>
  );
}

function ByKey({ shared, quantity }: { readonly shared: Shared; readonly quantity: Quantity }): JSX.Element {
  const { answer, tokens, picked, onPick } = shared;
  const { steps, before } = answer;
  return (
    <>
      <InNumbers quantity={quantity} steps={steps} tokens={tokens} picked={picked} />
      <KeyTable
        quantity={quantity}
        steps={steps}
        before={before?.steps ?? null}
        tokens={tokens}
        picked={picked}
        onPick={onPick}
      />
    </>
  );
}

interface SublayerProps {
  readonly shared: Shared;
  /** Of a sublayer; of a stream too: that before this sublayer, after the last one at the end. */
  readonly index: number;
}

/** One vector of a sublayer, beside what it was. */
function Part({ shared, index, part, sign, label }: PartProps): JSX.Element {
  const { steps, before } = shared.answer;
  const of = ({ sublayers }: HeadSteps): Float32Array => sublayers[index]![part];
  return <Strip sign={sign} label={label} data={of(steps)} before={before ? of(before.steps) : undefined} />;
}

interface PartProps extends SublayerProps {
  readonly part: Exclude<keyof Sublayer, 'name'>;
  readonly sign: string;
  readonly label: string;
}

function Stream({ shared, index }: SublayerProps): JSX.Element {
  const past = shared.answer.steps.sublayers[index - 1];
  const label = past === undefined ? t('stream.before') : t(`stream.after.${past.name}`);
  const [at, part] = past === undefined ? [index, 'before' as const] : [index - 1, 'after' as const];
  return <Part shared={shared} index={at} part={part} sign={streamSign(index)} label={label} />;
}

/** What a sublayer adds: o the attention that is followed, u the other one of the layer, f the MLP. */
function Out({ shared, index }: SublayerProps): JSX.Element {
  const { steps } = shared.answer;
  const { name } = steps.sublayers[index]!;
  const sign = name === 'mlp' ? 'f' : index === ownIndex(steps) ? 'o' : 'u';
  return <Part shared={shared} index={index} part="out" sign={sign} label={t(`adds.${name}`)} />;
}

/** The stream, what a sublayer adds to it, and what comes of that; the norm behind the followed attention is a stage of its own. */
function Added({ shared, index }: SublayerProps): JSX.Element {
  const { steps } = shared.answer;
  const isPost = steps.norm.placement === 'post';
  return (
    <>
      <Stream shared={shared} index={index} />
      <Out shared={shared} index={index} />
      {isPost && <Sum shared={shared} index={index} />}
      {!(isPost && index === ownIndex(steps)) && <Stream shared={shared} index={index + 1} />}
    </>
  );
}

/** What a norm behind a sum is given. */
function Sum({ shared, index }: SublayerProps): JSX.Element {
  return <Part shared={shared} index={index} part="sum" sign="y" label={t('norm.input')} />;
}

/** The norm before the MLP, or the one after the attention: what it is given and what it makes of that. */
function Norm({ shared }: { readonly shared: Shared }): JSX.Element {
  const { norm, sublayers } = shared.answer.steps;
  const isPre = norm.placement === 'pre';
  const [own, last] = [ownIndex(shared.answer.steps), sublayers.length - 1];
  const { mean, deviation, rms } = moments(isPre ? sublayers[last]!.before : sublayers[own]!.sum);
  return (
    <>
      <p class="small">{t(`norm.${norm.placement}`)}</p>
      {isPre ? (
        <Part shared={shared} index={last} part="before" sign="y" label={t('norm.input')} />
      ) : (
        <Sum shared={shared} index={own} />
      )}
      <p class="number">
        {norm.kind === 'rms'
          ? t('norm.rms', { rms: formatNumber(rms) })
          : t('norm.moments', { mean: formatNumber(mean), deviation: formatNumber(deviation) })}
      </p>
      {isPre ? (
        <Part shared={shared} index={last} part="input" sign={`Norm(${streamSign(last)})`} label={t('mlp.reads')} />
      ) : (
        <Stream shared={shared} index={own + 1} />
      )}
    </>
  );
}

function Logits({ shared }: { readonly shared: Shared }): JSX.Element {
  const { choices, before } = shared.answer;
  if (!predicts.value) return <p>{t('logits.encoderOnly')}</p>;
  if (choices === null) return <p>{t('logits.none')}</p>;
  return (
    <>
      <p class="muted small">{t('logits.layer')}</p>
      <LogitTable
        choices={choices}
        before={before?.choices ?? null}
        temperature={temperature.value}
        standing={queryTokens.value[position.value + 1]?.id}
      />
    </>
  );
}
