import { describe, expect, it } from 'vitest';
import { qkv } from './qkv.ts';

describe('qkv doctor', () => {
  it('finds this installation in order', async () => {
    const run = await qkv(['doctor', '--json']);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const { ok, findings } = JSON.parse(run.stdout) as { ok: boolean; findings: { name: string; status: string }[] };
    expect(ok).toBe(true);
    expect(findings.map(({ name }) => name)).toEqual(expect.arrayContaining(['ONNX Runtime', 'arithmetic', 'drawing']));
    expect(findings.filter(({ status }) => status === 'failed')).toEqual([]);
  });
});
