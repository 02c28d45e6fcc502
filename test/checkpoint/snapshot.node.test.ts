import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSafetensors } from '../../src/checkpoint/safetensors.ts';
import { type DamagedSnapshot, latestSnapshot, saveSnapshot } from '../../src/checkpoint/snapshot.node.ts';

let run: string;
beforeEach(() => {
  run = mkdtempSync(join(tmpdir(), 'qkv-snapshot-'));
});
afterEach(() => rmSync(run, { recursive: true }));

const data = new Float32Array(new SharedArrayBuffer(40)).fill(0.5); // as the arenas are
const filesOf = (step: number) => ({
  'model.safetensors': { tensors: [{ name: 'w', dtype: 'F32', shape: [10], data }] as const },
  'state.json': new TextEncoder().encode(`{"step":${step}}`),
});
const save = (step: number, keep = 3, pin: string[] = []) => saveSnapshot(run, step, filesOf(step), { keep, pin });
const noDamage = (damaged: DamagedSnapshot) => {
  throw new Error(JSON.stringify(damaged));
};

describe('saving and finding', () => {
  it('gives back what was saved', async () => {
    expect(await latestSnapshot(run, noDamage)).toBeUndefined();
    expect(await latestSnapshot(join(run, 'none'), noDamage)).toBeUndefined();
    await save(9);
    await save(123);
    const latest = (await latestSnapshot(run, noDamage))!;
    expect(latest).toMatchObject({ name: 'step-000123', step: 123 });
    expect(await latest.storage.list()).toEqual(['manifest.json', 'model.safetensors', 'state.json']);
    expect(Buffer.from(await latest.storage.read('state.json', 0, 12)).toString()).toBe('{"step":123}');
    const { tensors } = await openSafetensors(latest.storage, 'model.safetensors');
    expect(await tensors.get('w')!.read('float32')).toEqual(new Float32Array(data));
  });

  it('writes a manifest that sha256sum agrees with', async () => {
    await saveSnapshot(run, 1, { a: new TextEncoder().encode('abc') }, { keep: 1 });
    // FIPS 180-2, appendix B.1
    const sha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    expect(JSON.parse(readFileSync(join(run, 'step-000001', 'manifest.json'), 'utf8'))).toEqual({
      format: 1,
      step: 1,
      files: { a: { bytes: 3, sha256 } },
    });
  });

  it('keeps the newest and the pinned, and clears what killed writers left', async () => {
    mkdirSync(join(run, '.qkv-tmp-step-000002-1-abc'));
    writeFileSync(join(run, 'metrics.jsonl'), '');
    for (const step of [1, 2, 3, 4, 1000000]) await save(step, 2, ['step-000002']);
    expect(readdirSync(run).sort()).toEqual(['metrics.jsonl', 'step-000002', 'step-000004', 'step-1000000']);
    await save(1000001, 1);
    expect(readdirSync(run).sort()).toEqual(['metrics.jsonl', 'step-1000001']);
  });

  it('saves a step a second time beside the first, then lets the first go', async () => {
    await save(5, 1);
    expect(await save(5, 1)).toMatchObject({ name: 'step-000005-1', step: 5 });
    expect(readdirSync(run)).toEqual(['step-000005-1']);
    await save(5, 2);
    expect(await latestSnapshot(run, noDamage)).toMatchObject({ name: 'step-000005-2', step: 5 });
  });

  it('leaves no trace of a save that fails', async () => {
    await save(1, 1);
    const bad = { a: { tensors: [{ name: 'w', dtype: 'F32', shape: [11], data }] as const } };
    await expect(saveSnapshot(run, 2, bad, { keep: 1 })).rejects.toMatchObject({ code: 'checkpoint' });
    expect(readdirSync(run)).toEqual(['step-000001']);
    await expect(save(2, 0)).rejects.toMatchObject({ code: 'usage' });
    await expect(save(-1)).rejects.toMatchObject({ code: 'usage' });
    await expect(saveSnapshot(run, 2, { 'manifest.json': new Uint8Array() }, { keep: 1 })).rejects.toMatchObject({
      code: 'usage',
    });
    await expect(saveSnapshot(run, 2, { '../x': new Uint8Array() }, { keep: 1 })).rejects.toMatchObject({ code: 'io' });
    expect(readdirSync(run)).toEqual(['step-000001']);
  });
});

describe('damage', () => {
  const flip = (path: string, at: number) => {
    const bytes = readFileSync(path);
    bytes[at]! ^= 1;
    writeFileSync(path, bytes);
  };

  it.each<[string, (folder: string) => void, string, string]>([
    ['a changed bit', (f) => flip(join(f, 'model.safetensors'), 100), 'model.safetensors', 'bytes have changed'],
    ['a truncated file', (f) => truncateSync(join(f, 'state.json'), 3), 'state.json', '3 bytes instead of 10'],
    ['a missing file', (f) => unlinkSync(join(f, 'state.json')), 'state.json', 'no such file'],
    ['a missing manifest', (f) => unlinkSync(join(f, 'manifest.json')), 'manifest.json', 'no such file'],
    ['an empty manifest', (f) => truncateSync(join(f, 'manifest.json')), 'manifest.json', 'JSON'],
    [
      'a manifest of another kind',
      (f) => writeFileSync(join(f, 'manifest.json'), '{"format":2}'),
      'manifest.json',
      'format',
    ],
    [
      'a manifest of another step',
      (f) => writeFileSync(join(f, 'manifest.json'), '{"format":1,"step":1,"files":{}}'),
      'manifest.json',
      'it is of step 1',
    ],
    [
      'a manifest that leads elsewhere',
      (f) =>
        writeFileSync(
          join(f, 'manifest.json'),
          `{"format":1,"step":2,"files":{"../x":{"bytes":0,"sha256":"${'0'.repeat(64)}"}}}`,
        ),
      'manifest.json',
      'file name',
    ],
  ])('%s is named and the snapshot before is used', async (_, damage, file, problem) => {
    await save(1);
    await save(2);
    damage(join(run, 'step-000002'));
    const seen: DamagedSnapshot[] = [];
    expect(await latestSnapshot(run, (damaged) => seen.push(damaged))).toMatchObject({ name: 'step-000001' });
    expect(seen).toEqual([{ name: 'step-000002', problems: [{ file, problem: expect.stringContaining(problem) }] }]);
  });

  it('finds every changed bit of a manifest, and throws where nothing valid is left', async () => {
    await save(1);
    const manifest = join(run, 'step-000001', 'manifest.json');
    const original = readFileSync(manifest);
    for (let at = 0; at < original.length; at += 3) {
      const bytes = Buffer.from(original);
      bytes[at]! ^= 1 << (at % 8);
      writeFileSync(manifest, bytes);
      // A space of the layout may change into another without harm to what the manifest says.
      if (/\s/.test(String.fromCharCode(original[at]!))) continue;
      await expect(
        latestSnapshot(run, () => {}),
        `byte ${at}`,
      ).rejects.toMatchObject({ code: 'run' });
    }
  });

  it('does not count a damaged later snapshot among those to keep', async () => {
    await save(1, 1);
    await save(7, 2);
    truncateSync(join(run, 'step-000007', 'manifest.json'));
    await save(2, 2);
    expect(readdirSync(run).sort()).toEqual(['step-000001', 'step-000002', 'step-000007']);
    await save(3, 1);
    expect(await latestSnapshot(run, () => {})).toMatchObject({ name: 'step-000003' });
  });
});

describe('a saver that is killed at any moment', () => {
  it('leaves a valid snapshot, not older than the last one it reported', { timeout: 60_000 }, async () => {
    const script = fileURLToPath(new URL('saveLoop.ts', import.meta.url));
    let before = 0;
    for (let round = 0; round < 8; round++) {
      const child = spawn(process.execPath, [script, run], { stdio: ['ignore', 'pipe', 'inherit'] });
      let output = '';
      child.stdout.on('data', (chunk) => (output += chunk));
      const exited = once(child, 'exit');
      await Promise.race([once(child.stdout, 'data'), exited]);
      await delay(Math.random() * 80);
      child.kill('SIGKILL');
      const [code, signal] = await exited;
      expect({ code, signal }).toEqual({ code: null, signal: 'SIGKILL' });

      const reported = Number(output.trim().split('\n').at(-1));
      const latest = (await latestSnapshot(run, noDamage))!;
      expect(latest.step).toBeGreaterThanOrEqual(reported);
      expect(latest.step).toBeGreaterThan(before);
      before = latest.step;
      const { tensors } = await openSafetensors(latest.storage, 'model.safetensors');
      expect((await tensors.get('w')!.read('float32')).every((value) => value === latest.step)).toBe(true);
    }
    await save(before + 1);
    expect(readdirSync(run).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});
