import { translator } from './translator.ts';

/** Texts of charts. */
export const t = translator(
  {
    'log.x': 'log x',
    'log.y': 'log y',
    nothing: 'Nothing to draw yet.',
    cursor: '{title}: values along x',
    'cursor.none': 'arrow keys read the values',
  },
  {
    'log.x': 'x 取对数',
    'log.y': 'y 取对数',
    nothing: '还没有可画的内容。',
    cursor: '{title}：沿横轴的数值',
    'cursor.none': '用方向键逐点读数',
  },
);
