import type { Edits } from '../worker/contract.ts';
import type { Codec } from './codec.ts';

const PATH = /^[A-Za-z][\w.]{0,100}$/;

/**
 * Edits as `key=value` parts between `;`: `heads=layers.3.attention:2:zero,…`, `hidden=t4,s2`, `mlps=layers.3,…`, `score=2`,
 * `causal=0`, `positions=0`. Parts that are none of these are left out.
 */
export const editsCodec: Codec<Edits> = {
  format: (edits) => {
    const parts: string[] = [];
    if (edits.heads?.length) parts.push(`heads=${edits.heads.map((x) => `${x.path}:${x.head}:${x.how}`).join(',')}`);
    if (edits.hidden?.length) parts.push(`hidden=${edits.hidden.map((x) => `${x.side[0]}${x.position}`).join(',')}`);
    if (edits.mlps?.length) parts.push(`mlps=${edits.mlps.join(',')}`);
    if (edits.scoreFactor !== undefined) parts.push(`score=${edits.scoreFactor}`);
    if (edits.causalMask === false) parts.push('causal=0');
    if (edits.positions === false) parts.push('positions=0');
    return parts.join(';');
  },
  parse: (text) => {
    const parts = new Map(text.split(';').map((part) => [part.split('=')[0]!, part.split('=')[1] ?? '']));
    const list = (key: string): string[] => (parts.get(key) ?? '').split(',').filter((item) => item !== '');
    const heads = list('heads').flatMap((item): NonNullable<Edits['heads']>[number][] => {
      const [path = '', head = '', how] = item.split(':');
      const isHead = PATH.test(path) && /^\d{1,4}$/.test(head) && (how === 'zero' || how === 'mean');
      return isHead ? [{ path, head: Number(head), how }] : [];
    });
    const hidden = list('hidden').flatMap((item) => {
      const [, side, position] = /^([st])(\d{1,6})$/.exec(item) ?? [];
      if (position === undefined) return [];
      return [{ side: side === 's' ? ('source' as const) : ('target' as const), position: Number(position) }];
    });
    const mlps = list('mlps').filter((item) => PATH.test(item));
    const score = Number(parts.get('score') ?? Number.NaN);
    return {
      ...(heads.length > 0 && { heads }),
      ...(hidden.length > 0 && { hidden }),
      ...(mlps.length > 0 && { mlps }),
      ...(score > 0 && score < 1e6 && { scoreFactor: score }),
      ...(parts.get('causal') === '0' && { causalMask: false }),
      ...(parts.get('positions') === '0' && { positions: false }),
    };
  },
};
