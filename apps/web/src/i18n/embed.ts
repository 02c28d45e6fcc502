import { translator } from './translator.ts';

/** Texts of a file that shows the attention of one text. */
export const t = translator(
  {
    title: 'Attention of {model}',
    text: 'Text',
    source: 'Source',
    target: 'Target',
    pair: 'Second text',
  },
  {
    title: '{model} 的注意力',
    text: '文本',
    source: '原文',
    target: '译文',
    pair: '第二段文本',
  },
);
