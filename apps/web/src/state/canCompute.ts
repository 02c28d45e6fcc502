/** Whether a model is behind the page, so that what is edited or compared can be computed. A file of `qkv look --out` has none. */
export const canCompute: boolean = true;
