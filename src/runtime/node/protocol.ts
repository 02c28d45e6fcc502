import type { DType, TensorData } from '../../base/tensor.ts';
import type { WireFlatCall } from '../simdKernels.ts';

/** What crosses the thread boundary: data on a SharedArrayBuffer is seen by both sides, any other is copied. */
export interface WireTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

export type WireTensors = Readonly<Record<string, WireTensor>>;

/** A tensor, or the number of one that was sent before. */
export type WireValue = WireTensor | number;

export interface WireCall {
  readonly program: number;
  readonly feeds: Readonly<Record<string, WireValue>>;
  readonly into: Readonly<Record<string, WireValue>>;
}

export interface EngineOptions {
  readonly threads: number;
  /** Whether idle threads wait busily: faster between short operators, and a core at 100% while a run lasts. */
  readonly spinning: boolean;
  readonly profile: string | null;
}

export type Command =
  | { readonly kind: 'compile'; readonly program: number; readonly model: Uint8Array }
  | {
      readonly kind: 'run';
      readonly calls: readonly WireCall[];
      readonly learn: readonly (readonly [number, WireTensor])[];
      readonly forget: readonly number[];
    }
  | { readonly kind: 'flat'; readonly calls: readonly WireFlatCall[] }
  | { readonly kind: 'release'; readonly program: number }
  | { readonly kind: 'close' };

export interface Outcome {
  readonly tensors?: readonly WireTensors[];
  readonly numbers?: readonly number[];
}

export interface Request {
  readonly id: number;
  readonly command: Command;
}

export type Response =
  | { readonly id: number; readonly outcome: Outcome }
  | { readonly id: number; readonly error: string };
