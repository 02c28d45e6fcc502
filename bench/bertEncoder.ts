import { type Dim, dimMul, symbol } from '../src/base/dim.ts';
import type { Value } from '../src/graph/value.ts';
import { attention } from '../src/nn/attention.ts';
import { embeddingTable, lookup } from '../src/nn/embedding.ts';
import { feedForward } from '../src/nn/feedForward.ts';
import { normalInit, zerosInit } from '../src/nn/init.ts';
import { linear } from '../src/nn/linear.ts';
import { layerNorm } from '../src/nn/norm.ts';
import { type Scope, Trace } from '../src/nn/scope.ts';
import { type Sequences, withRows } from '../src/nn/sequences.ts';
import { gelu } from '../src/ops/activation.ts';
import { add, cast, mul } from '../src/ops/elementwise.ts';
import { gather } from '../src/ops/gather.ts';
import { dimSize, input, intConstant, iota } from '../src/ops/leaf.ts';
import { linearCrossEntropy } from '../src/ops/loss.ts';
import { sum } from '../src/ops/reduce.ts';
import { reshape } from '../src/ops/shape.ts';
import type { TracedLoss } from '../src/train/objectives.ts';

/** A masked language model of BERT-base's size (Devlin et al. 2019): the work of a training step, for the benchmark. */
export const bertBase = { vocab: 30522, width: 768, layers: 12, heads: 12, hidden: 3072, positions: 512, dropout: 0.1 };

type Config = typeof bertBase;

const init = normalInit(0.02);

/**
 * The mean cross-entropy of the masked words. Inputs `inputIds` int32 [B, T], and for the P words of a sequence that are to be
 * predicted `targetPositions` and `labels`, int32 [B, P]: only their rows go through the output layer.
 */
export function traceMaskedLm(config: Config): TracedLoss {
  const trace = new Trace({ training: true });
  const root = trace.root;
  const [batch, length, predicted] = [symbol('B'), symbol('T'), symbol('P')];
  const ids = input('inputIds', 'int32', [batch, length]);
  let x = embed(root.at('embeddings'), config, ids);
  for (let i = 0; i < config.layers; i++) x = layer(root.at('layers').at(i), config, x);

  const targets = input('targetPositions', 'int32', [batch, predicted]);
  const firstOfRow = reshape(mul(iota(batch), cast(dimSize(length), 'int32')), [batch, 1]);
  const rows = gather(x.rows, reshape(add(targets, firstOfRow), [dimMul(batch, predicted)]));
  const head = root.at('head');
  const dense = gelu(linear(head.at('dense'), rows, { from: config.width, to: config.width, init, bias: true }));
  const labels = reshape(input('labels', 'int32', [batch, predicted]), [dimMul(batch, predicted)]);
  const bias = head.parameter('bias', [config.vocab], zerosInit);
  const losses = linearCrossEntropy(
    norm(head.at('norm'), config, dense),
    words(root.at('embeddings'), config),
    bias,
    labels,
  );
  const loss = mul(sum(losses, [0]), input('lossScale', 'float32', []));
  return { graph: trace.graph({ loss }), declarations: trace.declarations };
}

function words(scope: Scope, { vocab, width }: Config): Value {
  return embeddingTable(scope.at('words'), { count: vocab, width, init });
}

function embed(scope: Scope, config: Config, ids: Value): Sequences {
  const [batch, length] = ids.shape as [Dim, Dim];
  const { width } = config;
  const word = lookup(words(scope, config), reshape(ids, [dimMul(batch, length)]), 0);
  const position = lookup(
    embeddingTable(scope.at('positions'), { count: config.positions, width, init }),
    iota(length),
    null,
  );
  const type = lookup(
    embeddingTable(scope.at('types'), { count: 2, width, init }),
    mul(iota(length), intConstant(0)),
    null,
  );
  const together = add(reshape(word, [batch, length, width]), reshape(add(position, type), [1, length, width]));
  const rows = norm(scope.at('norm'), config, reshape(together, [dimMul(batch, length), width]));
  return { rows: scope.dropout('embeddings', rows, config.dropout), batch, length };
}

function layer(scope: Scope, config: Config, x: Sequences): Sequences {
  const { width, heads, hidden, dropout } = config;
  const attended = attention(scope.at('attention'), { query: x }, { width, heads, bias: true, dropout, init }).rows;
  const mid = norm(scope.at('attentionNorm'), config, add(x.rows, scope.dropout('attention', attended, dropout)));
  const inner = feedForward(scope.at('mlp'), mid, { width, hidden, activation: 'gelu', bias: true, dropout: 0, init });
  return withRows(x, norm(scope.at('mlpNorm'), config, add(mid, scope.dropout('mlp', inner, dropout))));
}

function norm(scope: Scope, { width }: Config, x: Value): Value {
  return layerNorm(scope, x, { width, epsilon: 1e-12 });
}
