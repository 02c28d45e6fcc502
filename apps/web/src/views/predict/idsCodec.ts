import type { Codec } from '../../state/codec.ts';

/** Token ids as `1,345,12`. */
export const idsCodec: Codec<readonly number[] | null> = {
  parse: (text) => {
    if (text === '') return null;
    return /^\d{1,7}(,\d{1,7}){0,4095}$/.test(text) ? text.split(',').map(Number) : undefined;
  },
  format: (ids) => ids?.join(',') ?? '',
};
