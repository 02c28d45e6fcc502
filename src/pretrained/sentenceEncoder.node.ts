import { join } from 'node:path';
import { nodeStorage } from '../checkpoint/storage.node.ts';
import { openSentenceEncoder, type SentenceEncoder } from './sentenceEncoder.ts';

/**
 * How the model folder at `location` makes a vector of a text, where it says so in the way of sentence-transformers.
 *
 * @throws QkvError as `openSentenceEncoder`
 */
export function sentenceEncoderAt(location: string): Promise<SentenceEncoder | undefined> {
  return openSentenceEncoder(nodeStorage(location), (folder) => nodeStorage(join(location, folder)));
}
