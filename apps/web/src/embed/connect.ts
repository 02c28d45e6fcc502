import type { Engine, EngineError } from '../worker/contract.ts';
import { mapsOf } from './scene.ts';
import { scene } from './sceneHere.ts';

/** In place of the worker: gives what lies in the file, and computes nothing. */
export async function connect(): Promise<Engine> {
  const maps = await mapsOf(scene);
  const absent = (): Promise<never> => {
    const error: EngineError = { code: 'embedded', message: 'This file holds the attention of one text and no model.' };
    return Promise.reject(error);
  };
  return {
    info: async () => ({ backend: 'wasm', refusal: null, threads: 1, isCrossOriginIsolated: false }),
    open: async () => scene.card,
    close: async () => {},
    read: async () => scene.reading,
    attention: async (_model, _input, _edits, paths) => maps.filter(({ place }) => paths?.includes(place.path) ?? true),
    steps: absent,
    predictions: absent,
    lens: absent,
    statistics: absent,
    norms: absent,
    attribution: absent,
    generate: absent,
    stop: async () => {},
  };
}
