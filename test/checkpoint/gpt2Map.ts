import type { DeclaredParam, KeyMap } from '../../src/checkpoint/keyMap.ts';

/** A key map of GPT-2's real keys: a transposed matrix, a fused one split in three, a tie, an ignored buffer, a base prefix. */
export const gpt2Map: KeyMap = {
  rules: [
    { key: 'transformer.wte.weight', path: 'embed.token' },
    { key: 'transformer.wpe.weight', path: 'embed.position' },
    {
      key: 'transformer.h.{i}.attn.c_attn.weight',
      paths: ['layers.{i}.query.weight', 'layers.{i}.key.weight', 'layers.{i}.value.weight'],
      move: 'split',
      axis: 1,
    },
    {
      key: 'transformer.h.{i}.attn.c_attn.bias',
      paths: ['layers.{i}.query.bias', 'layers.{i}.key.bias', 'layers.{i}.value.bias'],
      move: 'split',
      axis: 0,
    },
    { key: 'transformer.h.{i}.attn.c_proj.weight', path: 'layers.{i}.out.weight', move: 'transpose' },
    { key: 'transformer.h.{i}.attn.c_proj.bias', path: 'layers.{i}.out.bias' },
    { key: 'transformer.h.{i}.mlp.c_fc.weight', path: 'layers.{i}.up.weight', move: 'transpose' },
    { key: 'transformer.h.{i}.mlp.c_fc.bias', path: 'layers.{i}.up.bias' },
    { key: 'transformer.h.{i}.mlp.c_proj.weight', path: 'layers.{i}.down.weight', move: 'transpose' },
    { key: 'transformer.h.{i}.mlp.c_proj.bias', path: 'layers.{i}.down.bias' },
    { key: 'transformer.h.{i}.ln_{n}.weight', path: 'layers.{i}.norm.{n}.weight' },
    { key: 'transformer.h.{i}.ln_{n}.bias', path: 'layers.{i}.norm.{n}.bias' },
    { key: 'transformer.ln_f.weight', path: 'norm.weight' },
    { key: 'transformer.ln_f.bias', path: 'norm.bias' },
  ],
  ties: [{ key: 'lm_head.weight', sameAs: 'transformer.wte.weight' }],
  ignore: [{ key: 'transformer.h.{i}.attn.bias', reason: 'the causal mask, which is built when needed' }],
  basePrefix: 'transformer.',
};

export function gpt2Params(vocabSize: number, positions: number, width: number, numLayers: number): DeclaredParam[] {
  const params: DeclaredParam[] = [
    { path: 'embed.token', shape: [vocabSize, width] },
    { path: 'embed.position', shape: [positions, width] },
    { path: 'norm.weight', shape: [width] },
    { path: 'norm.bias', shape: [width] },
  ];
  const add = (path: string, ...shape: number[]) => params.push({ path, shape });
  for (let i = 0; i < numLayers; i++) {
    for (const part of ['query', 'key', 'value', 'out']) {
      add(`layers.${i}.${part}.weight`, width, width);
      add(`layers.${i}.${part}.bias`, width);
    }
    add(`layers.${i}.up.weight`, 4 * width, width);
    add(`layers.${i}.up.bias`, 4 * width);
    add(`layers.${i}.down.weight`, width, 4 * width);
    add(`layers.${i}.down.bias`, width);
    for (const n of [1, 2]) for (const part of ['weight', 'bias']) add(`layers.${i}.norm.${n}.${part}`, width);
  }
  return params;
}
