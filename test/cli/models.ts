import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SpecialTokenRoles, tokenizerFiles } from '../../src/tokenizer/tokenizerFiles.ts';
import type { TokenizerJson } from '../../src/tokenizer/tokenizerJson.ts';
import { trainBpe } from '../../src/tokenizer/trainBpe.ts';
import { root } from './qkv.ts';

/** Folders with the tiny models of the parity cases, each with a tokenizer of as many tokens as it has ids. */
export interface Models extends Disposable {
  readonly folder: string;
  readonly marian: string;
  readonly gpt2: string;
}

export function makeModels(): Models {
  const folder = mkdtempSync(join(tmpdir(), 'qkv-cli-'));
  const model = (
    name: string,
    json: TokenizerJson,
    specialTokens: SpecialTokenRoles,
    modelMaxLength: number,
  ): string => {
    const path = join(folder, name);
    cpSync(join(root, 'fixtures/parity', name), path, { recursive: true });
    for (const [file, text] of Object.entries(tokenizerFiles(json, { specialTokens, modelMaxLength }))) {
      writeFileSync(join(path, file), text);
    }
    return path;
  };
  const corpus = readFileSync(join(root, 'fixtures/tokenizer/corpus.en'), 'utf8').slice(0, 20_000);
  const pieces = trainBpe(corpus.split('\n'), {
    kind: 'word',
    vocabSize: 100,
    limitAlphabet: 60,
    specialTokens: ['</s>', '<unk>'],
    unk: '<unk>',
    around: { after: '</s>' },
  });
  // 97 characters: tab, newline, and the printable ones of ASCII.
  const characters = String.fromCharCode(9, 10, ...Array.from({ length: 95 }, (_, i) => i + 32));
  return {
    folder,
    marian: model('marian', pieces, { eos: '</s>', unk: '<unk>' }, 32),
    gpt2: model('gpt2', trainBpe([characters], { kind: 'char' }), {}, 40),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
