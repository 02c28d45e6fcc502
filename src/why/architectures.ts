import type { ParameterDeclaration } from '../nn/scope.ts';
import { traceChunk } from './lstmLearner.ts';
import type { LstmConfig } from './lstmModel.ts';
import { type GptConfig, traceGpt } from './transformerLearner.ts';

/** The parameters of the layers: without tables of words and positions, and without the output layer. */
export function layerParameters(declarations: readonly ParameterDeclaration[]): number {
  return declarations
    .filter(({ path }) => path.startsWith('layers.'))
    .reduce((sum, { shape }) => sum + shape.reduce((size, extent) => size * extent, 1), 0);
}

export function gptParameters(config: GptConfig): number {
  return layerParameters(traceGpt(config).trace.declarations);
}

export function lstmParameters(config: LstmConfig): number {
  return layerParameters(traceChunk(config, 1, 1).trace.declarations);
}

/** The LSTM whose layers have as many parameters as those of a Transformer, as nearly as an even width allows. */
export function lstmLike(gpt: GptConfig, { forgetShift }: Pick<LstmConfig, 'forgetShift'>): LstmConfig {
  const { vocabSize, layers } = gpt;
  const wanted = gptParameters(gpt);
  const of = (width: number): LstmConfig => ({ vocabSize, width, layers, forgetShift });
  // a layer has 8 H² + 4 H parameters
  const about = Math.sqrt(wanted / layers / 8);
  const widths = [-4, -2, 0, 2, 4].map((more) => 2 * Math.round(about / 2) + more).filter((width) => width > 0);
  const error = (width: number): number => Math.abs(lstmParameters(of(width)) - wanted);
  return of(widths.reduce((best, width) => (error(width) < error(best) ? width : best)));
}
