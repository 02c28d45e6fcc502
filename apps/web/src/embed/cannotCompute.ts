/** In place of `state/canCompute.ts`. */
export const canCompute: boolean = false;
