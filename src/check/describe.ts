import type { StorageDType } from '../base/tensor.ts';
import { claimsOf, compileKeyMap } from '../checkpoint/keyMap.ts';
import type { StrictLoad } from '../checkpoint/loadStrict.ts';
import type { Model } from '../models/model.ts';
import type { Pretrained } from '../pretrained/pretrained.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

/** What a model folder holds. */
export interface Description {
  readonly location: string;
  /** `model_type` of config.json. */
  readonly family: string;
  readonly kind: Model['kind'];
  /** `causal-lm`, `seq2seq-lm`, or the name of an encoder's head. */
  readonly head: string;
  /** Tied ones counted once; `fixed` are stored and not trained. */
  readonly parameters: { readonly trained: number; readonly fixed: number };
  readonly vocabSize: number;
  readonly maxLength: number;
  /** Keys that are another name of the tensor under `sameAs`. */
  readonly ties: readonly { readonly key: string; readonly sameAs: string }[];
  /** The number of tensors of each stored type. */
  readonly storedAs: Readonly<Partial<Record<StorageDType, number>>>;
  readonly ignored: StrictLoad['ignored'];
  /** Keys of tensors with a NaN or an infinity in them. */
  readonly notFinite: readonly string[];
  readonly tokenizer: TokenizerDescription | null;
}

export interface TokenizerDescription {
  /** `BPE`, `WordPiece`, `Unigram`, `WordLevel`. */
  readonly kind: string;
  readonly vocabSize: number;
  /** Whether the model has a row for each of its ids. */
  readonly fits: boolean;
  readonly special: readonly { readonly id: number; readonly token: string; readonly roles: readonly string[] }[];
}

export function describe({ location, model, arena, tokenizer, ignored, storedAs }: Pretrained): Description {
  const claims = claimsOf(compileKeyMap(model.keyMap), arena.placements);
  const keys = new Set(claims.map(({ key }) => key));
  const generative = { causal: 'causal-lm', 'encoder-decoder': 'seq2seq-lm' } as const;
  const count = (isTrained: boolean): number =>
    arena.placements.reduce((sum, { trainable, size }) => sum + (trainable === isTrained ? size : 0), 0);
  return {
    location,
    family: model.family,
    kind: model.kind,
    head: model.kind === 'encoder' ? model.head.name : generative[model.kind],
    parameters: { trained: count(true), fixed: count(false) },
    vocabSize: model.vocabSize,
    maxLength: model.maxLength,
    // of a tie within one module (`norm.gamma` of `norm.weight`) only the name is another
    ties: (model.keyMap.ties ?? []).filter(({ key, sameAs }) => keys.has(sameAs) && moduleOf(key) !== moduleOf(sameAs)),
    storedAs,
    ignored,
    notFinite: claims
      .filter(({ params }) => params.some(({ path }) => !areFinite(arena.tensors[path]!.data)))
      .map(({ key }) => key),
    tokenizer: tokenizer ? describeTokenizer(tokenizer, model) : null,
  };
}

/** A loop, since there may be thousands of millions of them. */
function areFinite(data: ArrayLike<number>): boolean {
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) return false;
  return true;
}

function moduleOf(key: string): string {
  return key.slice(0, key.lastIndexOf('.'));
}

function describeTokenizer(tokenizer: Tokenizer, model: Model): TokenizerDescription {
  const json = tokenizer.json as {
    readonly model: { readonly type?: string };
    readonly added_tokens?: readonly { readonly id: number; readonly special?: boolean }[];
  };
  const roles = Object.entries(tokenizer.specialIds);
  const added = (json.added_tokens ?? []).filter(({ special }) => special).map(({ id }) => id);
  const ids = [...new Set([...roles.map(([, id]) => id), ...added])].sort((a, b) => a - b);
  const rows = model.kind === 'encoder-decoder' ? model.sourceVocabSize : model.vocabSize;
  return {
    kind: json.model.type ?? 'of an unnamed kind',
    vocabSize: tokenizer.vocabSize,
    fits: tokenizer.vocabSize <= rows,
    special: ids.map((id) => ({
      id,
      token: tokenizer.idToToken(id) ?? '',
      roles: roles.flatMap(([role, other]) => (other === id ? [role] : [])),
    })),
  };
}
