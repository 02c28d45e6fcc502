import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { ModelBuilder, ModelInfo, Weight } from './modelBuilder.ts';
import { DATA_TYPE } from './onnxTensor.ts';
import {
  GraphProtoSchema,
  ModelProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProtoSchema,
} from './proto/onnx_pb.ts';

/** A protobuf message may not be larger than 2 GiB; the rest is for the graph itself. */
const MAX_INLINE_BYTES = 2 ** 31 - 2 ** 26;

export interface ModelFile {
  readonly name: string;
  /** Its bytes in order; a weight's are a view of the weight. */
  readonly chunks: Iterable<Uint8Array>;
}

/**
 * A model with its weights as files, without a copy of the weights: `<name>` alone, or, where they are more than
 * `maxInlineBytes`, with ONNX's external data in `<name>_data`, where transformers.js looks for it.
 */
export function modelFiles(
  builder: ModelBuilder,
  name: string,
  info: ModelInfo,
  maxInlineBytes: number = MAX_INLINE_BYTES,
): ModelFile[] {
  const { weights } = builder;
  const message = builder.message(info);
  const bytes = weights.reduce((sum, weight) => sum + bytesOf(weight), 0);
  if (bytes <= maxInlineBytes) return [{ name, chunks: inlineChunks() }];
  let offset = 0;
  for (const weight of weights) {
    const place = { location: `${name}_data`, offset: `${offset}`, length: `${bytesOf(weight)}` };
    const proto = header(weight);
    proto.dataLocation = TensorProto_DataLocation.EXTERNAL;
    proto.externalData = Object.entries(place).map(([key, value]) =>
      create(StringStringEntryProtoSchema, { key, value }),
    );
    message.graph!.initializer.push(proto);
    offset += bytesOf(weight);
  }
  return [
    { name, chunks: [toBinary(ModelProtoSchema, message)] },
    { name: `${name}_data`, chunks: weights.map(viewOf) },
  ];

  /** The model, its graph last, and of the graph the weights last. */
  function* inlineChunks(): Generator<Uint8Array> {
    const { initializer } = GraphProtoSchema.field;
    const graph = toBinary(GraphProtoSchema, message.graph!);
    const heads = weights.map((weight) => {
      const head = toBinary(TensorProtoSchema, header(weight));
      const rawField = lengthPrefix(TensorProtoSchema.field.rawData.number, bytesOf(weight));
      const size = head.length + rawField.length + bytesOf(weight);
      return [lengthPrefix(initializer.number, size), head, rawField];
    });
    const total = [graph, ...heads.flat()].reduce((sum, { length }) => sum + length, bytes);
    yield toBinary(ModelProtoSchema, { ...message, graph: undefined });
    yield lengthPrefix(ModelProtoSchema.field.graph.number, total);
    yield graph;
    for (const [i, weight] of weights.entries()) {
      yield* heads[i]!;
      yield viewOf(weight);
    }
  }
}

/** What comes before `length` bytes of a field. */
function lengthPrefix(field: number, length: number): Uint8Array {
  return new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(length).finish();
}

function header({ name, tensor: { dtype, shape } }: Weight): TensorProto {
  return create(TensorProtoSchema, { name, dataType: DATA_TYPE[dtype], dims: shape.map(BigInt) });
}

function bytesOf({ tensor: { data } }: Weight): number {
  return data.byteLength;
}

function viewOf({ tensor: { data } }: Weight): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
