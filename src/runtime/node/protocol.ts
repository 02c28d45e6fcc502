import type { DType, TensorData } from '../../base/tensor.ts';

/** What crosses the thread boundary: data on a SharedArrayBuffer is seen by both sides, any other is copied. */
export interface WireTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

export type WireTensors = Readonly<Record<string, WireTensor>>;

export interface EngineOptions {
  readonly threads: number;
  /** Whether idle threads wait busily: faster between short operators, and a core at 100% while a run lasts. */
  readonly spinning: boolean;
  readonly profile: string | null;
}

export type Request =
  | { readonly kind: 'compile'; readonly id: number; readonly program: number; readonly model: Uint8Array }
  | {
      readonly kind: 'run';
      readonly id: number;
      readonly calls: readonly { readonly program: number; readonly feeds: WireTensors; readonly into: WireTensors }[];
    }
  | { readonly kind: 'release'; readonly id: number; readonly program: number }
  | { readonly kind: 'close'; readonly id: number };

export type Response =
  | { readonly id: number; readonly outputs: readonly WireTensors[] }
  | { readonly id: number; readonly error: string };
