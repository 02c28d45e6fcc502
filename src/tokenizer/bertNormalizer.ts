import { formerPunctuation, laterFormat, laterMarks, laterPunctuation } from './laterThanUnicode8.ts';

export interface BertNormalizerJson {
  readonly clean_text?: boolean;
  readonly handle_chinese_chars?: boolean;
  /** null: as `lowercase` says. */
  readonly strip_accents?: boolean | null;
  readonly lowercase?: boolean;
}

/** Control and format characters and U+FFFD go; tab, newline and carriage return are spaces. */
const removed = new RegExp(String.raw`(?![\t\n\r${laterFormat}])[\p{Cc}\p{Cf}\p{Co}\p{Cs}\ufffd]`, 'gu');
const accents = new RegExp(String.raw`(?![${laterMarks}])[\p{Mn}\u1734]`, 'gu');
const whiteSpace = /\p{White_Space}/gu;
/** The blocks that BERT takes for Chinese; neither kana nor hangul. */
const chinese =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

/**
 * BERT's normalisation, in the order and with the tables of Python's `tokenizers`. Source:
 * https://github.com/huggingface/tokenizers/blob/main/tokenizers/src/normalizers/bert.rs
 */
export function bertNormalizer(json: BertNormalizerJson): (text: string) => string {
  const lowercase = json.lowercase ?? true;
  const stripAccents = json.strip_accents ?? lowercase;
  return (text) => {
    let out = text;
    if (json.clean_text ?? true) out = out.replace(removed, '').replace(whiteSpace, ' ');
    if (json.handle_chinese_chars ?? true) out = out.replace(chinese, ' $& ');
    if (stripAccents) out = out.normalize('NFD').replace(accents, '');
    return lowercase ? lowercaseEach(out) : out;
  };
}

/** Character by character: a final sigma is like any other, unlike in `toLowerCase` of the whole text. */
export function lowercaseEach(text: string): string {
  return text.includes('Σ') ? Array.from(text, (char) => char.toLowerCase()).join('') : text.toLowerCase();
}

const signs = String.raw`(?:(?![${laterPunctuation}])[\p{P}!-/:-@[-\x60{-~${formerPunctuation}])`;

/** Words, and each sign alone: all of ASCII that is neither letter nor digit, and what Unicode calls punctuation. */
export const bertWords: RegExp = new RegExp(String.raw`(?:(?!${signs})\P{White_Space})+|${signs}`, 'gu');
