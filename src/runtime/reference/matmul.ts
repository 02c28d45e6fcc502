import { sizeOf } from '../../base/tensor.ts';
import type { MatmulOps } from '../../ops/matmul.ts';
import { allocate, broadcastOffsets, type KernelTable } from './kernel.ts';

export const matmulKernels: KernelTable<MatmulOps> = {
  matmul: ([a, b], { transposeA, transposeB, alpha }, output) => {
    const result = allocate(output);
    const [m, n] = output.shape.slice(-2) as [number, number];
    const inner = a!.shape.at(transposeA ? -2 : -1)!;
    const batch = output.shape.slice(0, -2);
    // Which matrix of each operand belongs to each matrix of the result.
    const left = broadcastOffsets(a!.shape.slice(0, -2), batch);
    const right = broadcastOffsets(b!.shape.slice(0, -2), batch);
    const [aRow, aColumn] = transposeA ? [1, m] : [inner, 1];
    const [bRow, bColumn] = transposeB ? [1, inner] : [n, 1];
    for (let matrix = 0; matrix < sizeOf(batch); matrix++) {
      const aStart = left[matrix]! * m * inner;
      const bStart = right[matrix]! * inner * n;
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let k = 0; k < inner; k++) {
            sum += a!.data[aStart + i * aRow + k * aColumn]! * b!.data[bStart + k * bRow + j * bColumn]!;
          }
          result[(matrix * m + i) * n + j] = alpha * sum;
        }
      }
    }
    return result;
  },
};
