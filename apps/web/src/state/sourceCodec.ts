import type { ModelSource } from '../worker/contract.ts';
import type { Codec } from './codec.ts';

/** `shipped:NAME`, `served:NAME`, `hub:ORG/NAME@REVISION`, `files:NAME`, whose files a link cannot bring. */
export const sourceCodec: Codec<ModelSource | null> = {
  parse: (text) => {
    if (text === '') return null;
    const [, kind, name] = /^(shipped|served|hub|files):(.{1,300})$/u.exec(text) ?? [];
    if (name === undefined) return undefined;
    if (kind === 'hub') return { kind, id: name };
    if (kind === 'files') return { kind, name, files: [] };
    return { kind: kind as 'shipped' | 'served', name };
  },
  format: (source) => (source === null ? '' : `${source.kind}:${sourceName(source)}`),
};

export function sourceName(source: ModelSource): string {
  return source.kind === 'hub' ? source.id : source.name;
}
