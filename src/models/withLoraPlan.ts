import type { LoraPlan } from '../nn/lora.ts';
import type { Scope } from '../nn/scope.ts';
import type { CausalInputs, DecoderInputs, EncoderInputs, Model, SourceInputs } from './model.ts';

/** The model with low-rank updates: whatever traces it finds them. A pass begins with one of its entries. */
export function withLoraPlan<M extends Model>(model: M, lora: LoraPlan): M {
  return { ...model, ...entries(model, lora), lora };
}

function entries(model: Model, lora: LoraPlan): Partial<Model> {
  const planned = (root: Scope): Scope => {
    root.trace.lora = lora;
    return root;
  };
  switch (model.kind) {
    case 'encoder':
      return { encode: (root: Scope, inputs: EncoderInputs) => model.encode(planned(root), inputs) };
    case 'causal':
      return { forward: (root: Scope, inputs: CausalInputs) => model.forward(planned(root), inputs) };
    case 'encoder-decoder':
      return {
        encode: (root: Scope, inputs: SourceInputs) => model.encode(planned(root), inputs),
        decode: (root: Scope, inputs: DecoderInputs) => model.decode(planned(root), inputs),
      };
  }
}
