import { translator } from './translator.ts';

/** Texts of the list of edits. */
export const t = translator(
  {
    title: 'Edited',
    list: 'List of edits',
    clear: 'Undo all',
    remove: 'Take back: {what}',
    'head.zero': 'silent: {path}, head {head}',
    'head.mean': 'mean: {path}, head {head}',
    hidden: 'hidden: {token}',
    'hidden.at': 'position {position}',
    mlp: 'no MLP: {path}',
    score: 'scores × {factor}',
    causal: 'no causal mask',
    positions: 'no positions',
  },
  {
    title: '已改动',
    list: '改动列表',
    clear: '全部还原',
    remove: '还原：{what}',
    'head.zero': '静音：{path} 第 {head} 头',
    'head.mean': '取均值：{path} 第 {head} 头',
    hidden: '隐藏：{token}',
    'hidden.at': '位置 {position}',
    mlp: '去掉 MLP：{path}',
    score: '分数 × {factor}',
    causal: '去掉因果掩码',
    positions: '去掉位置',
  },
);
