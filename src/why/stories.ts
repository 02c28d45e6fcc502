import { type Key, RandomStream } from '../base/random.ts';
import { specialIds } from './poems.ts';

/** Four sentences of ten words, as ids. */
export type Story = readonly Int32Array[];

const TOPICS = 8;
const WORDS_OF_TOPIC = 12;
const STAGES = 8;
const WORDS_OF_STAGE = 3;
const COMMON_WORDS = 30;
const SENTENCES = 4;

const firstTopicWord = specialIds.size;
const firstStageWord = firstTopicWord + TOPICS * WORDS_OF_TOPIC;
const firstCommonWord = firstStageWord + STAGES * WORDS_OF_STAGE;

export const storyVocabulary: number = firstCommonWord + COMMON_WORDS;
/** The share of pairs of stories that have one topic. */
export const sameTopic: number = 1 / TOPICS;

/**
 * Made-up stories of which everything is known. A story has a topic, of 8, and begins at a stage, of 5; its four sentences are of four
 * stages in a row. A sentence is, in any order, five words of the topic, four common words, and one word of its stage: what
 * belongs together can be told by topic and by stage, what comes first by the stage alone.
 */
export function story(stream: RandomStream): Story {
  const topic = stream.below(TOPICS);
  const begin = stream.below(STAGES - SENTENCES + 1);
  const word = (first: number, group: number, size: number): number => first + group * size + stream.below(size);
  return Array.from({ length: SENTENCES }, (_, i) => {
    const words = [
      ...Array.from({ length: 5 }, () => word(firstTopicWord, topic, WORDS_OF_TOPIC)),
      ...Array.from({ length: 4 }, () => word(firstCommonWord, 0, COMMON_WORDS)),
      word(firstStageWord, begin + i, WORDS_OF_STAGE),
    ];
    return Int32Array.from(stream.permutation(words.length), (place) => words[place]!);
  });
}

export function stories(count: number, key: Key): Story[] {
  const stream = new RandomStream(key);
  return Array.from({ length: count }, () => story(stream));
}

/** The topic and the stages of a story's sentences, read from its words. */
export function readStory(sentences: Story): { readonly topic: number; readonly stages: readonly number[] } {
  const group = (sentence: Int32Array, first: number, end: number, size: number): number =>
    Math.floor((sentence.find((id) => id >= first && id < end)! - first) / size);
  return {
    topic: group(sentences[0]!, firstTopicWord, firstStageWord, WORDS_OF_TOPIC),
    stages: sentences.map((one) => group(one, firstStageWord, firstCommonWord, WORDS_OF_STAGE)),
  };
}
