import { create } from '@bufbuild/protobuf';
import { getTextEncoding } from '@bufbuild/protobuf/wire';
import { DATA_TYPE, type OnnxDType, type OnnxTensor, rawData } from './onnxTensor.ts';
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from './proto/onnx_pb.ts';

// One maker per kind of attribute. A maker gives nothing for `undefined`, so that ONNX's own default holds.

type Attribute = AttributeProto | undefined;

// TextEncoder belongs to the DOM and to Node, not to the language; this finds the one there is.
const utf8 = (value: string): Uint8Array<ArrayBuffer> => getTextEncoding().encodeUtf8(value);

function attribute(name: string, type: AttributeProto_AttributeType): AttributeProto {
  const made = create(AttributeProtoSchema);
  made.name = name;
  made.type = type;
  return made;
}

export function int(name: string, value: number | undefined): Attribute {
  if (value === undefined) return undefined;
  const made = attribute(name, AttributeProto_AttributeType.INT);
  made.i = BigInt(value);
  return made;
}

/** ONNX has no boolean attributes: 0 and 1 stand for them. */
export function flag(name: string, value: boolean | undefined): Attribute {
  return value === undefined ? undefined : int(name, value ? 1 : 0);
}

export function ints(name: string, value: readonly number[] | undefined): Attribute {
  if (value === undefined) return undefined;
  const made = attribute(name, AttributeProto_AttributeType.INTS);
  made.ints = value.map(BigInt);
  return made;
}

export function float(name: string, value: number | undefined): Attribute {
  if (value === undefined) return undefined;
  const made = attribute(name, AttributeProto_AttributeType.FLOAT);
  made.f = value;
  return made;
}

export function floats(name: string, value: readonly number[] | undefined): Attribute {
  if (value === undefined) return undefined;
  const made = attribute(name, AttributeProto_AttributeType.FLOATS);
  made.floats = [...value];
  return made;
}

export function string(name: string, value: string | undefined): Attribute {
  if (value === undefined) return undefined;
  const made = attribute(name, AttributeProto_AttributeType.STRING);
  made.s = utf8(value);
  return made;
}

export function strings(name: string, value: readonly string[] | undefined): Attribute {
  if (value === undefined) return undefined;
  const made = attribute(name, AttributeProto_AttributeType.STRINGS);
  made.strings = value.map(utf8);
  return made;
}

export function dtype(name: string, value: OnnxDType | undefined): Attribute {
  return value === undefined ? undefined : int(name, DATA_TYPE[value]);
}

export function tensor(name: string, value: OnnxTensor | undefined): Attribute {
  if (value === undefined) return undefined;
  const made = attribute(name, AttributeProto_AttributeType.TENSOR);
  made.t = tensorProto('', value);
  return made;
}

/** The message for a tensor, also that of an initializer. Its `rawData` shares the tensor's memory. */
export function tensorProto(name: string, value: OnnxTensor): TensorProto {
  const made = create(TensorProtoSchema);
  if (name !== '') made.name = name;
  made.dataType = DATA_TYPE[value.dtype];
  made.dims = value.shape.map(BigInt);
  made.rawData = rawData(value);
  return made;
}
