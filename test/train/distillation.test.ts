import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { gradients } from '../../src/autodiff/gradients.ts';
import { float32 } from '../../src/base/tensor.ts';
import type { Value } from '../../src/graph/value.ts';
import { input, scalarConstant } from '../../src/ops/leaf.ts';
import { expand } from '../../src/ops/shape.ts';
import { evaluate } from '../../src/runtime/reference/reference.ts';
import { cosineLoss, hardTargetLoss, softTargetLoss } from '../../src/train/distillation.ts';

const expected = JSON.parse(readFileSync('fixtures/distillation/expected.json', 'utf8'));
const shape = [4, 7];
const student = input('student', 'float32', shape);
const teacher = input('teacher', 'float32', shape);

describe('distillation', () => {
  it.each<[string, Value]>([
    ['soft1', softTargetLoss(student, teacher, 1)],
    ['soft2', softTargetLoss(student, teacher, 2)],
    ['hard', hardTargetLoss(student, teacher)],
    ['cosine', cosineLoss(student, teacher)],
  ])('%s has the rows and the gradients of PyTorch', (name, rows) => {
    const ones = expand(scalarConstant(1), rows.shape);
    const [forStudent, forTeacher] = gradients([{ value: rows, seed: ones }], [student, teacher]);
    const feeds = { student: float32(shape, expected.student), teacher: float32(shape, expected.teacher) };
    const outputs = { rows, forStudent: forStudent!, forTeacher: forTeacher! };
    const found = evaluate({ outputs, names: new Map() }, feeds);
    const compare = (ours: ArrayLike<number>, theirs: readonly number[]): void => {
      expect(ours).toHaveLength(theirs.length);
      theirs.forEach((value, i) => {
        expect(Math.abs(ours[i]! - value)).toBeLessThan(2e-6 * Math.max(1, Math.abs(value)));
      });
    };
    compare(found['rows']!.data, expected[name].rows);
    compare(found['forStudent']!.data, expected[name].gradient);
    expect(new Set(found['forTeacher']!.data)).toEqual(new Set([0]));
  });

  it('needs a temperature above 0', () => {
    expect(() => softTargetLoss(student, teacher, 0)).toThrow('temperature: got 0');
  });
});
