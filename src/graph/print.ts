import { shapeText } from '../base/dim.ts';
import { type Graph, leaves } from './graph.ts';
import { attributeText } from './rewrite.ts';
import { reachable, type Value } from './value.ts';

/**
 * The graph as text, the same for equal graphs whenever they were made: leaves by name, the rest numbered in
 * topological order. Snapshot tests and the program cache's key are made of it.
 *
 *     fn(x: float32[B, 3], w: parameter float32[3, 2]) {
 *       %0 = matmul x w {alpha: 1} : float32[B, 2]
 *       return y = %0
 *     }
 */
export function printGraph(graph: Graph): string {
  const roots = Object.values(graph.outputs);
  const values = reachable(roots);
  const text = new Map<Value, string>();
  const parameters = leaves(roots, 'parameter').map(({ name, value }) => `${name}: parameter ${typeText(value)}`);
  const inputs = leaves(roots, 'input').map(({ name, value }) => `${name}: ${typeText(value)}`);
  const lines: string[] = [];
  let number = 0;
  for (const value of values) {
    if (value.op === 'input' || value.op === 'parameter') {
      text.set(value, value.attrs['name'] as string);
      continue;
    }
    const name = `%${number++}`;
    text.set(value, name);
    const body = value.literal ? literalText(value) : value.inputs.map((input) => text.get(input)).join(' ');
    const attrs = attributeText(value.attrs);
    lines.push(`  ${name} = ${value.op} ${body}${attrs === '{}' ? '' : ` ${attrs}`} : ${typeText(value)}`);
  }
  const outputs = Object.entries(graph.outputs).map(([name, value]) => `${name} = ${text.get(value)}`);
  return `fn(${[...inputs, ...parameters].join(', ')}) {\n${lines.join('\n')}\n  return ${outputs.join(', ')}\n}`;
}

export function typeText(value: Value): string {
  return `${value.dtype}${shapeText(value.shape)}`;
}

function literalText(value: Value): string {
  const data = value.literal!.data;
  if (data.length <= 8) return [...data].join(',');
  return `${data.length} values fnv1a:${contentHash(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)).toString(16)}`;
}

/** 32-bit FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
function contentHash(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
