import { clippedMatches, countNgrams, totalCount } from './ngrams.ts';
import { meanScores, type PrecisionRecallF1, precisionRecallF1 } from './precisionRecall.ts';
import { checkOptions, pairSegments, type References } from './segments.ts';

export interface RougeOptions {
  /**
   * The tokens of a text. Default: rouge-score's, lower-case runs of a–z and 0–9. That finds none in Chinese; pass, for
   * instance, one that gives characters.
   */
  readonly tokenize?: (text: string) => readonly string[];
}

/** 0 to 1 each; means over the segments. */
export interface RougeScores {
  readonly rouge1: PrecisionRecallF1;
  readonly rouge2: PrecisionRecallF1;
  /** Of the longest common subsequence of the whole texts. */
  readonly rougeL: PrecisionRecallF1;
  /** Of the longest common subsequences of their lines, which should be one sentence each. */
  readonly rougeLsum: PrecisionRecallF1;
}

type Kind = keyof RougeScores;
const KINDS: readonly Kind[] = ['rouge1', 'rouge2', 'rougeL', 'rougeLsum'];

/**
 * ROUGE (Lin 2004, https://aclanthology.org/W04-1013), as rouge-score 0.1 computes it without stemming
 * (https://github.com/google-research/google-research/tree/master/rouge). Of several references for a segment, the one with
 * the best F1 counts, for each kind by itself. `references[i]` is the reference of `hypotheses[i]`, or the list of its
 * references.
 *
 * @throws QkvError `data` on unequal numbers of segments, `usage` on an unknown option
 */
export function rouge(hypotheses: readonly string[], references: References, options: RougeOptions = {}): RougeScores {
  checkOptions('rouge', options, ['tokenize']);
  const { tokenize = alphanumericWords } = options;
  const best = pairSegments('rouge', hypotheses, references).map((segment) => {
    const hypothesis = prepare(segment.hypothesis, tokenize);
    const all = segment.references.map((reference) => segmentScores(hypothesis, prepare(reference, tokenize)));
    return all.reduce((a, b) => byKind((kind) => (b[kind].f1 > a[kind].f1 ? b[kind] : a[kind])));
  });
  return byKind((kind) =>
    meanScores(
      best.map((scores) => scores[kind]),
      () => 1,
    ),
  );
}

function byKind(score: (kind: Kind) => PrecisionRecallF1): RougeScores {
  return Object.fromEntries(KINDS.map((kind) => [kind, score(kind)])) as { [kind in Kind]: PrecisionRecallF1 };
}

function alphanumericWords(text: string): string[] {
  return text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
}

interface Prepared {
  readonly tokens: readonly string[];
  /** The tokens of each line. */
  readonly lines: readonly (readonly string[])[];
}

function prepare(text: string, tokenize: (text: string) => readonly string[]): Prepared {
  const lines = text.split('\n').filter((line) => line !== '');
  return { tokens: tokenize(text), lines: lines.map(tokenize) };
}

function segmentScores(hyp: Prepared, ref: Prepared): RougeScores {
  const hypNgrams = countNgrams(hyp.tokens, 2, '\0');
  const refNgrams = countNgrams(ref.tokens, 2, '\0');
  const ofOrder = (n: number): PrecisionRecallF1 => {
    const [h, r] = [hypNgrams[n - 1]!, refNgrams[n - 1]!];
    return precisionRecallF1({ matched: clippedMatches(h, r), predicted: totalCount(h), actual: totalCount(r) });
  };
  const lengths = { predicted: hyp.tokens.length, actual: ref.tokens.length };
  return {
    rouge1: ofOrder(1),
    rouge2: ofOrder(2),
    rougeL: precisionRecallF1({ matched: commonSubsequence(ref.tokens, hyp.tokens).length, ...lengths }),
    rougeLsum: summaryScore(hyp.lines, ref.lines),
  };
}

/**
 * Section 3.2 of the paper: a reference line's tokens count when they are in its longest common subsequence with any line of
 * the hypothesis. As in ROUGE 1.5.5, no token counts more often than it occurs in either text.
 */
function summaryScore(hyp: Prepared['lines'], ref: Prepared['lines']): PrecisionRecallF1 {
  const [hypTokens, refTokens] = [hyp.flat(), ref.flat()];
  const hypCounts = countNgrams(hypTokens, 1, '')[0]!;
  const hits: string[] = [];
  for (const line of ref) {
    const union = new Set(hyp.flatMap((other) => commonSubsequence(line, other)));
    for (const i of union) hits.push(line[i]!);
  }
  const matched = clippedMatches(countNgrams(hits, 1, '')[0]!, hypCounts);
  return precisionRecallF1({ matched, predicted: hypTokens.length, actual: refTokens.length });
}

/** Positions in `a` of a longest common subsequence of `a` and `b`, last first: of several the one that rouge-score takes. */
function commonSubsequence(a: readonly string[], b: readonly string[]): number[] {
  // table[i][j]: its length for the first i of a and the first j of b
  const table = Array.from({ length: a.length + 1 }, () => new Int32Array(b.length + 1));
  for (let i = 1; i <= a.length; i++) {
    const [above, row] = [table[i - 1]!, table[i]!];
    for (let j = 1; j <= b.length; j++) {
      row[j] = a[i - 1] === b[j - 1] ? above[j - 1]! + 1 : Math.max(above[j]!, row[j - 1]!);
    }
  }
  const positions: number[] = [];
  for (let i = a.length, j = b.length; i > 0 && j > 0; ) {
    if (a[i - 1] === b[j - 1]) {
      positions.push(--i);
      j--;
    } else if (table[i]![j - 1]! > table[i - 1]![j]!) j--;
    else i--;
  }
  return positions;
}
