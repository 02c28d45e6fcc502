import { symbol } from '../base/dim.ts';
import { type ParameterDeclaration, Trace } from '../nn/scope.ts';
import { input } from '../ops/leaf.ts';
import type { Model } from './model.ts';

/** The parameters of a model: those that a full pass declares. */
export function declarationsOf(model: Model): readonly ParameterDeclaration[] {
  return traceParameters(model).declarations;
}

/** A full pass, for what it declares. */
export function traceParameters(model: Model): Trace {
  const trace = new Trace();
  const ids = (name: string, length: string) => input(name, 'int32', [symbol('B'), symbol(length)]);
  if (model.kind === 'encoder') {
    model.head.outputs(trace.root, model.encode(trace.root, { ids: ids('inputIds', 'T') }));
  } else if (model.kind === 'causal')
    model.logits(trace.root, model.forward(trace.root, { ids: ids('inputIds', 'T') }).rows);
  else {
    const memory = model.encode(trace.root, { ids: ids('inputIds', 'S') });
    model.logits(trace.root, model.decode(trace.root, { ids: ids('decoderInputIds', 'T'), memory }).rows);
  }
  return trace;
}
