import type { Edits } from '../worker/contract.ts';
import { canCompute } from './canCompute.ts';
import { act } from './history.ts';
import { edits } from './scene.ts';

/** Changes that undo takes back. Each leaves out what it empties, so that no edits are `{}`. */
export function editHead(path: string, head: number, how: 'zero' | 'mean' | null): void {
  act(() => {
    const others = (edits.peek().heads ?? []).filter((one) => one.path !== path || one.head !== head);
    set('heads', how === null ? others : [...others, { path, head, how }]);
  });
}

export function hideToken(side: 'source' | 'target', position: number, isHidden: boolean): void {
  act(() => {
    const others = (edits.peek().hidden ?? []).filter((one) => one.side !== side || one.position !== position);
    set('hidden', isHidden ? [...others, { side, position }] : others);
  });
}

export function editMlp(layer: string, isOff: boolean): void {
  act(() => {
    const others = (edits.peek().mlps ?? []).filter((one) => one !== layer);
    set('mlps', isOff ? [...others, layer] : others);
  });
}

/** 1 is no edit. A slider's steps are one step of undo. */
export function editScoreFactor(factor: number): void {
  act(() => set('scoreFactor', factor === 1 ? undefined : factor), 'score');
}

export function editCausalMask(isOn: boolean): void {
  act(() => set('causalMask', isOn ? undefined : false));
}

export function editPositions(isOn: boolean): void {
  act(() => set('positions', isOn ? undefined : false));
}

export function clearEdits(): void {
  act(() => {
    edits.value = {};
  });
}

export function headEdit(path: string, head: number): 'zero' | 'mean' | null {
  return edits.value.heads?.find((one) => one.path === path && one.head === head)?.how ?? null;
}

export function isHidden(side: 'source' | 'target', position: number): boolean {
  return edits.value.hidden?.some((one) => one.side === side && one.position === position) ?? false;
}

export function hasEdits(all: Edits): boolean {
  return Object.keys(all).length > 0;
}

function set<K extends keyof Edits>(key: K, value: Edits[K]): void {
  if (!canCompute) return;
  const { [key]: _, ...others } = edits.peek();
  const isEmpty = value === undefined || (Array.isArray(value) && value.length === 0);
  edits.value = isEmpty ? others : { ...others, [key]: value };
}
