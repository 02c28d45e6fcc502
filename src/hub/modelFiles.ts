import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';

/** Where the weights may be, the preferred form first. */
export const weightFiles = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
] as const;

const otherFiles: ReadonlySet<string> = new Set([
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
  'chat_template.json',
  'vocab.txt',
  'vocab.json',
  'merges.txt',
  'spiece.model',
  'tokenizer.model',
  'sentencepiece.bpe.model',
  'source.spm',
  'target.spm',
  // sentence-transformers
  'modules.json',
  'sentence_bert_config.json',
  'config_sentence_transformers.json',
]);
const moduleConfig = /^\d+_\w+\/config\.json$/; // 1_Pooling/config.json

/**
 * The files of a repository that a model needs, weights last; of several formats the one that `from_pretrained` prefers.
 * `read` gives the text of the file that names the shards.
 *
 * @throws QkvError `checkpoint` where the repository has no model in a form that qkv reads, or names a file that could
 * leave its folder.
 */
export async function modelFiles(
  where: string,
  names: readonly string[],
  read: (name: string) => Promise<string | undefined>,
): Promise<string[]> {
  for (const name of names) checkFileName(where, name);
  const weights = weightFiles.find((name) => names.includes(name));
  const missing = names.includes('config.json') ? weights === undefined && 'weights' : 'config.json';
  if (weights === undefined || missing) {
    throw new QkvError('checkpoint', {
      where,
      got: `no ${missing} among ${names.slice(0, 20).join(', ') || 'no files'}${names.length > 20 ? ', …' : ''}`,
      expected: `config.json and ${weightFiles.join(' or ')}`,
      hint: 'Choose a repository that has the model as the transformers library stores it',
    });
  }
  const others = names.filter((name) => otherFiles.has(name) || moduleConfig.test(name));
  if (!weights.endsWith('.index.json')) return [...others, weights];
  return [...others, weights, ...shardNames(where, weights, await read(weights), names)];
}

function shardNames(where: string, index: string, text: string | undefined, names: readonly string[]): string[] {
  const json = parsed(text);
  const map: unknown = typeof json === 'object' && json !== null && 'weight_map' in json && json.weight_map;
  const shards = [...new Set(typeof map === 'object' && map !== null ? Object.values(map) : [])];
  const wrong =
    shards.length === 0 ? [map] : shards.filter((name) => typeof name !== 'string' || !names.includes(name));
  if (wrong.length === 0) return shards as string[];
  throw new QkvError('checkpoint', {
    where: `${where}: ${index}`,
    got: wrong.map(brief).join(', '),
    expected: 'a weight_map with names of files of the repository',
  });
}

/** Undefined for what is not JSON. */
function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}

/** By the rules of POSIX and of Windows: a cache may be used from both. */
export function checkFileName(where: string, name: string): void {
  const isSafe = !/[\\:\p{Cc}]/u.test(name) && !name.split('/').some((part) => part === '' || /^\.{1,2}$/.test(part));
  if (isSafe) return;
  throw new QkvError('checkpoint', {
    where,
    got: `a file named ${brief(name)}`,
    expected: 'names that stay within the folder',
    hint: 'Nothing was fetched. Do not use this repository',
  });
}
