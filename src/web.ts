/**
 * qkv in a page. There is no runtime for pages yet: what is here is what needs none, and the reference runtime, which is
 * exact and slow. Graphs, tokenizers, scores, pictures, and checkpoints from any `Storage` work; training a model and
 * running one of some size do not.
 */
export * from './index.ts';
