import { create, toBinary } from '@bufbuild/protobuf';
import { QkvError } from '../base/errors.ts';
import type { HostTensor } from '../base/tensor.ts';
import { tensorProto } from './attributes.ts';
import { DATA_TYPE, int64, type OnnxDType, type OnnxTensor } from './onnxTensor.ts';
import { IR_VERSION, OPSET } from './opset.gen.ts';
import {
  type AttributeProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  type TensorProto,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './proto/onnx_pb.ts';

declare const valueBrand: unique symbol;

/** A value of the model under construction: an input, an initializer or an output of a node. Only a builder makes one. */
export type OnnxValue = string & { readonly [valueBrand]: true };

/** A length known now, or the name of one that is known at run time (`dim_param`). */
export type OnnxDim = number | string;

/** What an operator adds: one record per node, turned into a message by `finish`. */
export interface OnnxNode {
  readonly opType: string;
  /** '' for ONNX's own operators, `com.microsoft` for ONNX Runtime's. */
  readonly domain: string;
  /** `undefined` stands for an optional input that is left out. */
  readonly inputs: readonly (OnnxValue | undefined)[];
  readonly attributes: readonly (AttributeProto | undefined)[];
  /** How many outputs to name; those from `requiredOutputs` on are left out of the model where nothing reads them. */
  readonly outputs: number;
  readonly requiredOutputs: number;
}

/** An initializer that is written from where it is: see `modelFile`. */
export interface Weight {
  readonly name: string;
  readonly tensor: HostTensor;
}

export interface ModelInfo {
  /** The version of qkv. */
  readonly version?: string;
  /** `metadata_props` of the model. */
  readonly metadata?: Readonly<Record<string, string>>;
}

interface NamedNode extends OnnxNode {
  readonly name: string;
  readonly outputNames: readonly OnnxValue[];
}

interface GraphState {
  readonly nodes: NamedNode[];
  readonly inputs: ValueInfoProto[];
  readonly outputs: ValueInfoProto[];
  readonly initializers: TensorProto[];
  readonly weights: Weight[];
  /** Initializers by element type, shape and a hash of their first bytes. */
  readonly constants: Map<string, TensorProto[]>;
  /** Every name in use: of values and of outputs. */
  readonly names: Set<string>;
  readonly suffixes: Map<string, number>;
  /** Values that a node makes and that may still take an output's name. */
  readonly made: Set<OnnxValue>;
  readonly renamed: Map<string, string>;
}

/**
 * Collects one ONNX graph in topological order. The functions of `operators.gen.ts` add its nodes:
 *
 *     const b = new ModelBuilder();
 *     const x = b.input('x', 'float32', ['batch', 8]);
 *     const y = ops.add(b.scope('mlp.bias'), x, b.constant(bias));
 *     b.output('y', y, 'float32', ['batch', 8]);
 *     const bytes = b.finish();
 *
 * `scope` gives a view of the same graph that puts a path before the names of its nodes. Errors are `QkvError` `graph`.
 */
export class ModelBuilder {
  readonly path: string;
  readonly #state: GraphState;

  constructor(path = '', shared?: GraphState) {
    this.path = path;
    this.#state = shared ?? {
      nodes: [],
      inputs: [],
      outputs: [],
      initializers: [],
      weights: [],
      constants: new Map(),
      names: new Set(),
      suffixes: new Map(),
      made: new Set(),
      renamed: new Map(),
    };
  }

  /** The same graph; nodes added through it are named `<this path>.<path>/<OpType>`. */
  scope(path: string): ModelBuilder {
    return new ModelBuilder(this.path === '' ? path : `${this.path}.${path}`, this.#state);
  }

  /** Declares a graph input. */
  input(name: string, dtype: OnnxDType, dims: readonly OnnxDim[]): OnnxValue {
    this.#state.inputs.push(valueInfo(this.#claim(name), dtype, dims));
    return name as OnnxValue;
  }

  /**
   * Makes a value a graph output. A node's value takes the output's name, anything else (an input, an initializer, a
   * value that is an output already) goes through an Identity.
   */
  output(name: string, value: OnnxValue, dtype: OnnxDType, dims: readonly OnnxDim[]): void {
    const { made, renamed, outputs } = this.#state;
    let source = this.#known(value, `output ${name}`);
    if (name !== source || !made.has(source)) this.#claim(name);
    if (!made.has(source)) source = this.#identity(source);
    made.delete(source);
    renamed.set(source, name);
    outputs.push(valueInfo(name, dtype, dims));
  }

  /**
   * An initializer; equal ones are stored once. A plain list is a one-dimensional int64 tensor, `int64(n)` a scalar.
   * The tensor's memory is read by `finish`, so it must not change before.
   */
  constant(value: OnnxTensor | readonly number[]): OnnxValue {
    const tensor = Array.isArray(value) ? int64(value) : (value as OnnxTensor);
    const { constants, initializers } = this.#state;
    const proto = tensorProto('', tensor);
    const key = `${tensor.dtype}[${tensor.shape.join()}]${hash(proto.rawData)}`;
    const bucket = constants.get(key);
    const equal = bucket?.find((other) => sameBytes(other.rawData, proto.rawData));
    if (equal) return equal.name as OnnxValue;
    proto.name = this.#fresh('constant');
    initializers.push(proto);
    if (bucket) bucket.push(proto);
    else constants.set(key, [proto]);
    return proto.name as OnnxValue;
  }

  /** A large initializer under its own name; `message` leaves it out, for `modelFile` to write. */
  weight(name: string, tensor: HostTensor): OnnxValue {
    this.#state.weights.push({ name: this.#claim(name), tensor });
    return name as OnnxValue;
  }

  get weights(): readonly Weight[] {
    return this.#state.weights;
  }

  /** Adds a node and names its outputs. The generated operators call it; nothing else should. */
  node(node: OnnxNode): readonly OnnxValue[] {
    const { nodes, made } = this.#state;
    for (const input of node.inputs) if (input !== undefined) this.#known(input, `${this.path}/${node.opType}`);
    const name = this.#fresh(this.path === '' ? node.opType : `${this.path}/${node.opType}`);
    const outputNames = [name as OnnxValue];
    for (let i = 1; i < node.outputs; i++) outputNames.push(this.#fresh(`${name}:${i}`) as OnnxValue);
    for (const output of outputNames) made.add(output);
    nodes.push({ ...node, name, outputNames });
    return outputNames;
  }

  /** The serialized `ModelProto` of a model without weights. */
  finish(info: ModelInfo = {}): Uint8Array<ArrayBuffer> {
    return toBinary(ModelProtoSchema, this.message(info));
  }

  /** The `ModelProto`, without the weights. */
  message({ version, metadata = {} }: ModelInfo): ModelProto {
    const { nodes, inputs, outputs, initializers } = this.#state;
    const read = new Set<string>(outputs.map((output) => output.name));
    for (const node of nodes) for (const input of node.inputs) if (input !== undefined) read.add(this.#final(input));
    const domains = new Set(['', ...nodes.map((node) => node.domain)]);
    return create(ModelProtoSchema, {
      irVersion: BigInt(IR_VERSION),
      producerName: 'qkv',
      ...(version !== undefined && { producerVersion: version }),
      opsetImport: [...domains].map((domain) =>
        create(OperatorSetIdProtoSchema, { domain, version: BigInt(domain === '' ? OPSET : 1) }),
      ),
      metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
      graph: create(GraphProtoSchema, {
        name: 'qkv',
        node: nodes.map((node) => this.#nodeProto(node, read)),
        initializer: initializers,
        input: inputs,
        output: outputs,
      }),
    });
  }

  #nodeProto(node: NamedNode, read: ReadonlySet<string>): NodeProto {
    const made = create(NodeProtoSchema);
    made.opType = node.opType;
    if (node.domain !== '') made.domain = node.domain;
    made.name = node.name;
    made.input = trimmed(node.inputs.map((input) => (input === undefined ? '' : this.#final(input))));
    made.output = trimmed(
      node.outputNames.map((output, i) => {
        const name = this.#final(output);
        return i < node.requiredOutputs || read.has(name) ? name : '';
      }),
    );
    for (const attribute of node.attributes) if (attribute !== undefined) made.attribute.push(attribute);
    return made;
  }

  #identity(value: OnnxValue): OnnxValue {
    const shape = { domain: '', attributes: [], outputs: 1, requiredOutputs: 1 };
    return this.node({ opType: 'Identity', inputs: [value], ...shape })[0] as OnnxValue;
  }

  #final(value: string): string {
    return this.#state.renamed.get(value) ?? value;
  }

  #known(value: OnnxValue, where: string): OnnxValue {
    if (this.#state.names.has(value)) return value;
    throw new QkvError('graph', {
      where: `ONNX graph, ${where}`,
      got: `value ${JSON.stringify(value)}`,
      expected: 'a value that this builder made',
    });
  }

  /** Takes a name that the caller chose. */
  #claim(name: string): string {
    const { names } = this.#state;
    if (name === '' || names.has(name)) {
      const hint = 'Inputs, outputs and values share one set of names';
      throw new QkvError('graph', { where: 'ONNX graph', got: `name ${JSON.stringify(name)} twice or empty`, hint });
    }
    names.add(name);
    return name;
  }

  /** Takes a name of our own: the wanted one, or that with the first free number behind it. */
  #fresh(wanted: string): string {
    const { names, suffixes } = this.#state;
    let name = wanted;
    while (names.has(name)) {
      const suffix = (suffixes.get(wanted) ?? 0) + 1;
      suffixes.set(wanted, suffix);
      name = `${wanted}_${suffix}`;
    }
    names.add(name);
    return name;
  }
}

function valueInfo(name: string, dtype: OnnxDType, dims: readonly OnnxDim[]): ValueInfoProto {
  const dim = dims.map((length) =>
    create(TensorShapeProto_DimensionSchema, {
      value:
        typeof length === 'number' ? { case: 'dimValue', value: BigInt(length) } : { case: 'dimParam', value: length },
    }),
  );
  const shape = create(TensorShapeProtoSchema, { dim });
  const value = create(TypeProto_TensorSchema, { elemType: DATA_TYPE[dtype], shape });
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: 'tensorType', value } }),
  });
}

/** ONNX writes a left-out argument as '' and drops those at the end. */
function trimmed(names: string[]): string[] {
  let length = names.length;
  while (length > 0 && names[length - 1] === '') length--;
  names.length = length;
  return names;
}

/** FNV-1a over the first 256 bytes: enough to tell constants apart before their bytes are compared. */
function hash(bytes: Uint8Array): number {
  let state = 0x811c9dc5;
  const length = Math.min(bytes.length, 256);
  for (let i = 0; i < length; i++) state = Math.imul(state ^ (bytes[i] as number), 0x01000193);
  return state >>> 0;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
