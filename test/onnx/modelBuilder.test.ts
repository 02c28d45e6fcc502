import { fromBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { QkvError } from '../../src/base/errors.ts';
import { float32 } from '../../src/base/tensor.ts';
import { ModelBuilder, type OnnxValue } from '../../src/onnx/modelBuilder.ts';
import { int64, type OnnxTensor, uint32 } from '../../src/onnx/onnxTensor.ts';
import * as ops from '../../src/onnx/operators.gen.ts';
import { type GraphProto, type ModelProto, ModelProtoSchema } from '../../src/onnx/proto/onnx_pb.ts';

function decode(b: ModelBuilder): { model: ModelProto; graph: GraphProto } {
  const model = fromBinary(ModelProtoSchema, b.finish());
  return { model, graph: model.graph as GraphProto };
}

describe('ModelBuilder', () => {
  it('writes nodes with scoped names, attributes and operator sets', () => {
    const b = new ModelBuilder();
    const x = b.input('x', 'float32', ['batch', 4]);
    const layer = b.scope('encoder').scope('layers.0');
    const product = ops.fusedMatMul(layer, x, x, { transB: true, alpha: 0.5 });
    const y = ops.transpose(layer, product, { perm: [1, 0] });
    ops.transpose(layer, product);
    b.output('y', y, 'float32', ['batch', 'batch']);
    const { model, graph } = decode(b);

    expect(model.irVersion).toBe(9n);
    expect(model.opsetImport.map((set) => [set.domain, set.version])).toEqual([
      ['', 20n],
      ['com.microsoft', 1n],
    ]);
    expect(graph.node.map((node) => [node.name, node.opType, node.domain, node.input, node.output])).toEqual([
      ['encoder.layers.0/FusedMatMul', 'FusedMatMul', 'com.microsoft', ['x', 'x'], ['encoder.layers.0/FusedMatMul']],
      ['encoder.layers.0/Transpose', 'Transpose', '', ['encoder.layers.0/FusedMatMul'], ['y']],
      [
        'encoder.layers.0/Transpose_1',
        'Transpose',
        '',
        ['encoder.layers.0/FusedMatMul'],
        ['encoder.layers.0/Transpose_1'],
      ],
    ]);
    expect(graph.node[0]?.attribute.map((a) => [a.name, a.type, a.name === 'alpha' ? a.f : a.i])).toEqual([
      ['alpha', 1, 0.5],
      ['transB', 2, 1n],
    ]);
    expect(graph.node[1]?.attribute[0]?.ints).toEqual([1n, 0n]);
    const type = graph.input[0]?.type?.value;
    expect(type?.case === 'tensorType' && type.value.shape?.dim.map((dim) => dim.value)).toEqual([
      { case: 'dimParam', value: 'batch' },
      { case: 'dimValue', value: 4n },
    ]);
  });

  it('stores equal constants once, and only those', () => {
    const b = new ModelBuilder();
    const long = Float32Array.from({ length: 1000 }, (_, i) => i);
    const longer = Float32Array.from(long);
    longer[999] = -1;
    const first = b.constant(float32([1000], long));
    expect(b.constant(float32([1000], Float32Array.from(long)))).toBe(first);
    // One value per reason to differ: the last element, the shape, the element type, the sign of zero, the rank.
    const others: (OnnxTensor | readonly number[])[] = [
      float32([1000], longer),
      float32([10, 100], long),
      uint32([1], [1]),
      float32([1], [0]),
      float32([1], [-0]),
      [1],
      int64(1),
    ];
    const values = [first, ...others.map((value) => b.constant(value))];
    expect(new Set(values).size).toBe(values.length);
    expect(b.constant(int64([1]))).toBe(b.constant([1]));
    // A float64 tensor of the reference evaluator is rounded.
    expect(b.constant(float32([1000], Float64Array.from(long)))).toBe(first);
    expect(b.constant({ dtype: 'uint8', shape: [2], data: Uint8Array.of(1, 2) })).not.toBe(first);

    const { graph } = decode(b);
    expect(graph.initializer.length).toBe(values.length + 1);
    const raw = graph.initializer[0]?.rawData as Uint8Array;
    expect(new Float32Array(raw.slice().buffer)).toEqual(long);
    expect(graph.initializer.map((tensor) => tensor.dims).slice(6, 8)).toEqual([[1n], []]);
  });

  it('keeps shared memory and offset views intact', () => {
    const shared = new Float32Array(new SharedArrayBuffer(16));
    shared.set([1, 2, 3, 4]);
    const b = new ModelBuilder();
    b.constant(float32([2], shared.subarray(1, 3)));
    const raw = decode(b).graph.initializer[0]?.rawData as Uint8Array;
    expect([...new Float32Array(raw.slice().buffer)]).toEqual([2, 3]);
  });

  it('drops optional outputs that nothing reads', () => {
    const b = new ModelBuilder();
    const x = b.input('x', 'float32', [2, 4]);
    const scale = b.constant(float32([4], [1, 1, 1, 1]));
    const [plain] = ops.layerNormalization(b, x, scale);
    const [, , invStd] = ops.layerNormalization(b, x, scale, undefined, { axis: -1 });
    const [skipped, , , sum] = ops.skipLayerNormalization(b, plain, x, scale, undefined, undefined, { epsilon: 1e-5 });
    b.output('invStd', invStd, 'float32', [2, 1]);
    b.output('y', skipped, 'float32', [2, 4]);
    b.output('sum', sum, 'float32', [2, 4]);
    const { graph } = decode(b);
    expect(graph.node.map((node) => node.output)).toEqual([
      ['LayerNormalization'],
      ['LayerNormalization_1', '', 'invStd'],
      ['y', '', '', 'sum'],
    ]);
    expect(graph.node[1]?.input.length).toBe(2);
  });

  it('renames what becomes an output everywhere, and copies what cannot be renamed', () => {
    const b = new ModelBuilder();
    const x = b.input('x', 'float32', [2]);
    const y = ops.neg(b, x);
    b.output('negated', y, 'float32', [2]);
    b.output('again', y, 'float32', [2]);
    b.output('same', x, 'float32', [2]);
    b.output('exp', ops.exp(b, y), 'float32', [2]);
    b.output('Exp_1', ops.exp(b, y), 'float32', [2]);
    const { graph } = decode(b);
    expect(graph.output.map((output) => output.name)).toEqual(['negated', 'again', 'same', 'exp', 'Exp_1']);
    expect(graph.node.map((node) => [node.opType, node.input, node.output])).toEqual([
      ['Neg', ['x'], ['negated']],
      ['Identity', ['negated'], ['again']],
      ['Identity', ['x'], ['same']],
      ['Exp', ['negated'], ['exp']],
      ['Exp', ['negated'], ['Exp_1']],
    ]);
    expect(decode(b).graph).toEqual(graph);
  });

  it('refuses foreign values, names given twice and tensors that do not fill their shape', () => {
    const b = new ModelBuilder();
    const x = b.input('x', 'float32', []);
    expect(() => b.input('x', 'int32', [])).toThrow(QkvError);
    expect(() => b.output('x', x, 'float32', [])).toThrow(/name "x"/);
    expect(() => ops.add(b.scope('a.b'), x, 'stranger' as OnnxValue)).toThrow(/a\.b\/Add.*"stranger"/);
    expect(() => b.output('y', 'stranger' as OnnxValue, 'float32', [])).toThrow(/"stranger"/);
    expect(() => b.constant(uint32([3], [1, 2]))).toThrow(/8 bytes.*12/);
  });
});
