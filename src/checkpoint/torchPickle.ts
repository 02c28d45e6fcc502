import { brief } from '../base/brief.ts';
import { type StorageDType, sizeOf } from '../base/tensor.ts';
import {
  describe,
  PickleGlobal,
  PickleObject,
  type PickleRules,
  PickleTooShort,
  PickleTuple,
  type PickleValue,
  pickleFault,
  readPickle,
} from './pickle.ts';
import { type StoredTensor, storedTensor } from './safetensors.ts';
import { elementBytes, tensorAt } from './safetensorsHeader.ts';
import type { Storage } from './storage.ts';
import { decodeUtf8 } from './utf8.ts';
import { openZip } from './zipDirectory.ts';

/** One run of memory that tensors are views of. */
class TorchStorage extends PickleObject {
  readonly kind = 'a storage';
  readonly key: string;
  readonly dtype: StorageDType;
  readonly elements: number;
  constructor(key: string, dtype: StorageDType, elements: number) {
    super();
    this.key = key;
    this.dtype = dtype;
    this.elements = elements;
  }
}

/** `shape` elements of a storage: the one at index i is element offset + Σ i·strides. */
class TorchTensor extends PickleObject {
  readonly kind = 'a tensor';
  readonly storage: TorchStorage;
  readonly dtype: StorageDType;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  constructor(storage: TorchStorage, dtype: StorageDType, offset: number, shape: number[], strides: number[]) {
    super();
    this.storage = storage;
    this.dtype = dtype;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

const storageTypes: Readonly<Record<string, StorageDType>> = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
};

/** Types that have no storage class of their own: `_rebuild_tensor_v3` names them. */
const dtypes: Readonly<Record<string, StorageDType>> = {
  'torch.float64': 'F64',
  'torch.float32': 'F32',
  'torch.float16': 'F16',
  'torch.bfloat16': 'BF16',
  'torch.int64': 'I64',
  'torch.int32': 'I32',
  'torch.int16': 'I16',
  'torch.int8': 'I8',
  'torch.uint64': 'U64',
  'torch.uint32': 'U32',
  'torch.uint16': 'U16',
  'torch.uint8': 'U8',
  'torch.bool': 'BOOL',
};

const dtypeOfStorage: ReadonlyMap<string, StorageDType> = new Map([
  ...Object.entries(storageTypes).flatMap(([name, dtype]) =>
    ['torch', 'torch.cuda'].map((module): [string, StorageDType] => [`${module}.${name}`, dtype]),
  ),
  ['torch.storage.UntypedStorage', 'U8'],
  ['torch.UntypedStorage', 'U8'],
]);

const legacyMagic = 0x1950a86a20f9469cfc6cn;
const legacyProtocol = 1001;
const maxDims = 64; // PyTorch's own
const maxPickleBytes = 100_000_000;
const firstPickleBytes = 1 << 18;

/** Where a storage's bytes lie. */
type ReadStorage = (storage: TorchStorage, from: number, length: number) => Promise<Uint8Array<ArrayBuffer>>;

/**
 * Opens what `torch.save` wrote of a state dict (`pytorch_model.bin`, `.pt`, `.pth`): the zip format of PyTorch 1.6 and later
 * or the legacy one before it. Nothing in the file is executed: a pickle that names anything but what tensors need is refused
 * with the name. Tensors are read when asked for, views with any strides included; the memory for one is bounded by the
 * file's size. A file that holds the state dict under `state_dict` is read as well.
 *
 * @throws QkvError `checkpoint`
 */
export async function openTorchPickle(storage: Storage, file: string): Promise<ReadonlyMap<string, StoredTensor>> {
  const fileBytes = await storage.size(file);
  const head = await storage.read(file, 0, Math.min(4, fileBytes));
  const isZip = head.length === 4 && head[0] === 0x50 && head[1] === 0x4b && head[2] === 3 && head[3] === 4;
  const { value, read } = await (isZip ? openZipFormat(storage, file) : openLegacyFormat(storage, file, fileBytes));
  const tensors = new Map<string, StoredTensor>();
  for (const [key, tensor] of stateDict(value, file)) {
    const where = tensorAt(file, key);
    // Strides of 0 could make a tensor of any size out of one element.
    if (sizeOf(tensor.shape) * elementBytes[tensor.dtype] > fileBytes) {
      throw pickleFault(where, `shape [${tensor.shape.join(', ')}]`, `at most the file's ${fileBytes} bytes`);
    }
    tensors.set(
      key,
      storedTensor(key, tensor, where, (from, length) => readTensor(tensor, read, from, length)),
    );
  }
  return tensors;
}

function stateDict(value: PickleValue, file: string): [string, TorchTensor][] {
  const fault = (where: string, got: PickleValue): never => {
    throw pickleFault(where, describe(got), 'a dict of tensors, or one with such a dict under state_dict');
  };
  if (!(value instanceof Map)) return fault(file, value);
  const inner = value.get('state_dict');
  const isCheckpoint = inner instanceof Map;
  const found: [string, TorchTensor][] = [];
  for (const [key, item] of isCheckpoint ? inner : value) {
    if (typeof key !== 'string') fault(`${file}: key ${key}`, key);
    else if (item instanceof TorchTensor) found.push([key, item]);
    else fault(tensorAt(file, key), item);
  }
  return found;
}

async function openZipFormat(storage: Storage, file: string): Promise<{ value: PickleValue; read: ReadStorage }> {
  const entries = await openZip(storage, file);
  const pickles = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1) {
    throw pickleFault(
      file,
      `${pickles.length} entries FOLDER/data.pkl`,
      'one, as torch.save writes (TorchScript is not read)',
    );
  }
  const folder = pickles[0]!.slice(0, -'data.pkl'.length);
  if (entries.has(`${folder}constants.pkl`)) throw pickleFault(file, 'a TorchScript archive', 'what torch.save writes');
  const order = entries.get(`${folder}byteorder`);
  if (order) {
    const text = decodeAscii(await order.read(0, Math.min(order.bytes, 16)));
    if (text !== 'little') throw pickleFault(`${file}: byteorder`, brief(text), '"little"');
  }
  const pickle = entries.get(pickles[0]!)!;
  if (pickle.bytes > maxPickleBytes) throw pickleFault(file, `a pickle of ${pickle.bytes} bytes`, `${maxPickleBytes}`);
  const bytes = await pickle.read();
  const entryOf = (key: string) => entries.get(`${folder}data/${key}`);
  const onStorage = ({ key, dtype, elements }: TorchStorage) => {
    const found = entryOf(key)?.bytes;
    if (found !== elements * elementBytes[dtype]) {
      const got = found === undefined ? 'no such entry' : `${found} bytes`;
      throw pickleFault(`${file}: storage ${brief(key)}`, got, `${elements * elementBytes[dtype]} bytes`);
    }
  };
  const { value, end } = wholePickle(bytes, 0, torchRules(file, 'zip', new Map(), onStorage));
  if (end !== bytes.length) throw pickleFault(file, `${bytes.length - end} bytes behind its pickle`, 'none');
  return { value, read: ({ key }, from, length) => entryOf(key)!.read(from, length) };
}

async function openLegacyFormat(
  storage: Storage,
  file: string,
  fileBytes: number,
): Promise<{ value: PickleValue; read: ReadStorage }> {
  let header: LegacyHeader | undefined;
  // How long the pickles are shows only in reading them.
  for (let bytes = firstPickleBytes; header === undefined; bytes *= 8) {
    const part = await storage.read(file, 0, Math.min(bytes, fileBytes, maxPickleBytes));
    try {
      header = legacyHeader(part, file);
    } catch (cause) {
      if (!(cause instanceof PickleTooShort)) throw cause;
      if (part.length === bytes) continue;
      throw pickleFault(file, `pickles that do not end in ${part.length} bytes`, 'whole pickles');
    }
  }
  const { value, storages, keys } = header;
  const places = new Map<string, number>();
  let at = header.end;
  for (const key of keys) {
    const found = storages.get(key);
    const where = `${file}: storage ${brief(key)}`;
    if (!found || places.has(key))
      throw pickleFault(where, found ? 'the same twice' : 'no tensor of it', 'every one once');
    if (at + 8 > fileBytes) throw pickleFault(where, 'the end of the file', 'its data');
    const prefix = await storage.read(file, at, 8);
    const elements = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
    if (elements !== BigInt(found.elements)) throw pickleFault(where, `${elements} elements`, `${found.elements}`);
    places.set(key, at + 8);
    at += 8 + found.elements * elementBytes[found.dtype];
    if (at > fileBytes) throw pickleFault(where, `a file of ${fileBytes} bytes`, `at least ${at}`);
  }
  for (const key of storages.keys()) {
    if (!places.has(key)) throw pickleFault(`${file}: storage ${brief(key)}`, 'no data', 'the data of it');
  }
  if (at !== fileBytes) throw pickleFault(file, `${fileBytes - at} bytes behind the last storage`, 'none');
  return { value, read: ({ key }, from, length) => storage.read(file, places.get(key)! + from, length) };
}

interface LegacyHeader {
  readonly value: PickleValue;
  readonly storages: ReadonlyMap<string, TorchStorage>;
  /** In the order of their data. */
  readonly keys: readonly string[];
  readonly end: number;
}

/** Five pickles: a magic number, the version, the writer's number sizes, the object, the storages' keys. */
function legacyHeader(bytes: Uint8Array, file: string): LegacyHeader {
  const storages = new Map<string, TorchStorage>();
  const plain = torchRules(file, 'plain', storages, () => {});
  if (bytes[0] !== 0x80)
    throw pickleFault(file, 'other bytes at its begin', 'a zip file or a pickle, as torch.save writes');
  const magic = readPickle(bytes, 0, plain);
  if (magic.value !== legacyMagic) {
    throw pickleFault(file, `a pickle of ${describe(magic.value)}`, 'the magic number of torch.save');
  }
  const version = readPickle(bytes, magic.end, plain);
  if (version.value !== legacyProtocol)
    throw pickleFault(file, `protocol ${describe(version.value)}`, `${legacyProtocol}`);
  const system = readPickle(bytes, version.end, plain);
  if (!(system.value instanceof Map) || system.value.get('little_endian') !== true) {
    throw pickleFault(file, 'another byte order', 'little_endian: True');
  }
  const object = readPickle(
    bytes,
    system.end,
    torchRules(file, 'legacy', storages, () => {}),
  );
  const list = readPickle(bytes, object.end, plain);
  const keys = list.value;
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string')) {
    throw pickleFault(file, describe(keys), 'the list of the storages');
  }
  return { value: object.value, storages, keys, end: list.end };
}

function wholePickle(bytes: Uint8Array, start: number, rules: PickleRules): { value: PickleValue; end: number } {
  try {
    return readPickle(bytes, start, rules);
  } catch (cause) {
    if (cause instanceof PickleTooShort) throw pickleFault(rules.where, 'a pickle that is cut off', 'a whole one');
    throw cause;
  }
}

/** `plain`: no globals at all. `onStorage` is told of every new storage, which then is in `storages`. */
function torchRules(
  where: string,
  format: 'zip' | 'legacy' | 'plain',
  storages: Map<string, TorchStorage>,
  onStorage: (storage: TorchStorage) => void,
): PickleRules {
  const globals = new Map<string, ((args: readonly PickleValue[]) => PickleValue) | null>();
  if (format !== 'plain') {
    for (const name of [...dtypeOfStorage.keys(), ...Object.keys(dtypes)]) globals.set(name, null);
    // Each list of pairs once: dicts made of one list again and again would take memory beyond the file's.
    const taken = new Set<PickleValue>();
    globals.set('collections.OrderedDict', (args) => {
      if (Array.isArray(args[0]) && taken.has(args[0])) return badCall(where, args);
      if (args[0] !== undefined) taken.add(args[0]);
      return orderedDict(args, where);
    });
    globals.set('torch.Size', (args) =>
      args.length === 1 && args[0] instanceof PickleTuple ? args[0] : badCall(where, args),
    );
    globals.set('torch._utils._rebuild_tensor', (args) => rebuildTensor(args.slice(0, 4), undefined, where));
    globals.set('torch._utils._rebuild_tensor_v2', (args) => rebuildTensor(args.slice(0, 4), undefined, where));
    globals.set('torch._utils._rebuild_tensor_v3', (args) => rebuildTensor(args.slice(0, 4), args[6], where));
    for (const name of ['_rebuild_parameter', '_rebuild_parameter_with_state']) {
      globals.set(`torch._utils.${name}`, (args) => (args[0] instanceof TorchTensor ? args[0] : badCall(where, args)));
    }
  }
  const persistentLoad = (id: PickleValue): PickleValue => {
    const [tag, type, key, location, elements, view] = id instanceof PickleTuple ? id.items : [];
    const dtype = type instanceof PickleGlobal ? dtypeOfStorage.get(type.name) : undefined;
    // The legacy format once had views of storages, with a sixth item other than None.
    const isWhole = view === undefined || (view === null && format === 'legacy');
    if (
      format === 'plain' ||
      tag !== 'storage' ||
      !dtype ||
      typeof key !== 'string' ||
      typeof location !== 'string' ||
      !isWhole
    ) {
      throw pickleFault(`${where}: reference`, describe(id), `('storage', type, key, location, size)`);
    }
    if (!isCount(elements)) throw pickleFault(`${where}: storage ${brief(key)}`, describe(elements ?? null), 'a size');
    const known = storages.get(key);
    if (known) {
      if (known.dtype === dtype && known.elements === elements) return known;
      throw pickleFault(`${where}: storage ${brief(key)}`, 'two types or sizes', 'one');
    }
    const storage = new TorchStorage(key, dtype, elements);
    onStorage(storage);
    storages.set(key, storage);
    return storage;
  };
  return { globals, persistentLoad, where };
}

function badCall(where: string, args: readonly PickleValue[]): never {
  const list = args.slice(0, 8).map(describe).join(', ');
  throw pickleFault(`${where}: pickle`, `a call with (${list})`, 'the arguments that PyTorch gives');
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** Called without arguments, or (by Python 2) with a list of pairs. */
function orderedDict(args: readonly PickleValue[], where: string): Map<string | number, PickleValue> {
  const dict = new Map<string | number, PickleValue>();
  const [pairs = []] = args;
  if (args.length > 1 || !Array.isArray(pairs)) return badCall(where, args);
  for (const pair of pairs) {
    const items = pair instanceof PickleTuple ? pair.items : pair;
    if (!Array.isArray(items) || items.length !== 2 || typeof items[0] !== 'string') return badCall(where, args);
    dict.set(items[0], items[1]!);
  }
  return dict;
}

function rebuildTensor(args: readonly PickleValue[], type: PickleValue | undefined, where: string): TorchTensor {
  const [storage, offset, size, stride] = args;
  if (!(storage instanceof TorchStorage) || !(size instanceof PickleTuple) || !(stride instanceof PickleTuple)) {
    return badCall(where, args);
  }
  let { dtype } = storage;
  let elements = storage.elements;
  if (type !== undefined) {
    const named = type instanceof PickleGlobal ? dtypes[type.name] : undefined;
    if (!named || dtype !== 'U8') return badCall(where, [...args, type]);
    dtype = named;
    elements = Math.floor(elements / elementBytes[dtype]);
  }
  if (size.items.length > maxDims)
    throw pickleFault(`${where}: tensor`, `${size.items.length} dimensions`, `at most ${maxDims}`);
  const shape = [...size.items];
  const strides = [...stride.items];
  if (!isCount(offset) || !shape.every(isCount) || !strides.every(isCount) || shape.length !== strides.length) {
    throw pickleFault(`${where}: tensor`, 'an impossible place', 'offset, sizes and strides from 0');
  }
  const last = shape.includes(0) ? offset - 1 : shape.reduce((sum, dim, i) => sum + (dim - 1) * strides[i]!, offset);
  if (!Number.isSafeInteger(sizeOf(shape)) || last >= elements) {
    const got = `shape [${shape.join(', ')}], strides [${strides.join(', ')}] from element ${offset}`;
    throw pickleFault(`${where}: tensor`, got, `elements within storage ${brief(storage.key)} of ${elements}`);
  }
  return new TorchTensor(storage, dtype, offset, shape, strides);
}

/** `length` bytes from byte `from` of the tensor's elements in row-major order. Only the part of the storage between its first and its last element is read. */
async function readTensor(
  tensor: TorchTensor,
  read: ReadStorage,
  from: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const { storage, shape, strides, offset } = tensor;
  const width = elementBytes[tensor.dtype];
  if (length === 0) return new Uint8Array(0);
  let expected = 1;
  let isContiguous = true;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) isContiguous = false;
    expected *= shape[axis]!;
  }
  if (isContiguous) return read(storage, offset * width + from, length);
  const span = shape.reduce((sum, dim, i) => sum + (dim - 1) * strides[i]!, 1);
  const source = await read(storage, offset * width, span * width);
  const out = new Uint8Array(length);
  const index = new Array<number>(shape.length).fill(0);
  let at = 0; // of the element at `index`, in elements from `offset`
  for (let axis = shape.length - 1, rest = from / width; axis >= 0; axis--) {
    index[axis] = rest % shape[axis]!;
    at += index[axis]! * strides[axis]!;
    rest = Math.floor(rest / shape[axis]!);
  }
  for (let to = 0; to < length; to += width) {
    for (let byte = 0; byte < width; byte++) out[to + byte] = source[at * width + byte]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      at -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

function decodeAscii(bytes: Uint8Array): string {
  try {
    return decodeUtf8(bytes);
  } catch {
    return 'other bytes';
  }
}
