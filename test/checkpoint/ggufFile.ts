/** A field of a GGUF header by its type, little-endian. */
export const gguf = {
  u8: (value: number): Buffer => Buffer.of(value),
  u32: (value: number): Buffer => sized(4, (b) => b.writeUInt32LE(value)),
  u64: (value: number | bigint): Buffer => sized(8, (b) => b.writeBigUInt64LE(BigInt(value))),
  f32: (value: number): Buffer => sized(4, (b) => b.writeFloatLE(value)),
  text: (value: string): Buffer => Buffer.concat([gguf.u64(Buffer.byteLength(value)), Buffer.from(value)]),
  /** Key and value of one string. */
  string: (key: string, value: string): Buffer => Buffer.concat([gguf.text(key), gguf.u32(8), gguf.text(value)]),
  /** Key and value of one uint32. */
  int: (key: string, value: number): Buffer => Buffer.concat([gguf.text(key), gguf.u32(4), gguf.u32(value)]),
  float: (key: string, value: number): Buffer => Buffer.concat([gguf.text(key), gguf.u32(6), gguf.f32(value)]),
  bool: (key: string, value: boolean): Buffer => Buffer.concat([gguf.text(key), gguf.u32(7), gguf.u8(Number(value))]),
  /** Key and an array of strings, int32 or float32. */
  array: (key: string, kind: 'string' | 'int' | 'float', values: readonly (string | number)[]): Buffer =>
    Buffer.concat([
      gguf.text(key),
      gguf.u32(9),
      gguf.u32({ string: 8, int: 5, float: 6 }[kind]),
      gguf.u64(values.length),
      ...values.map((value) => {
        if (kind === 'string') return gguf.text(String(value));
        return kind === 'int' ? gguf.u32(Number(value)) : gguf.f32(Number(value));
      }),
    ]),
  /** A tensor's description; `dims` in the file's order, the fastest first. */
  tensor: (name: string, dims: readonly (number | bigint)[], type: number, offset: number | bigint): Buffer =>
    Buffer.concat([gguf.text(name), gguf.u32(dims.length), ...dims.map(gguf.u64), gguf.u32(type), gguf.u64(offset)]),
  /** A whole file; `data` follows at a multiple of 32. */
  file: (
    metadata: readonly Buffer[],
    tensors: readonly Buffer[],
    data: Uint8Array = new Uint8Array(0),
    { version = 3, tensorCount = tensors.length, metadataCount = metadata.length }: Partial<Counts> = {},
  ): Uint8Array => {
    const counts = [gguf.u32(version), gguf.u64(tensorCount), gguf.u64(metadataCount)];
    const head = Buffer.concat([Buffer.from('GGUF'), ...counts, ...metadata, ...tensors]);
    const padding = Buffer.alloc((32 - (head.length % 32)) % 32);
    return new Uint8Array(Buffer.concat([head, padding, data]));
  },
};

interface Counts {
  readonly version: number;
  readonly tensorCount: number | bigint;
  readonly metadataCount: number | bigint;
}

function sized(bytes: number, write: (buffer: Buffer) => void): Buffer {
  const buffer = Buffer.alloc(bytes);
  write(buffer);
  return buffer;
}
