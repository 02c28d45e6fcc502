/**
 * Gives the memory of an array back at once, where the array is the whole of its buffer; nobody may use it any more. For
 * loops over large pieces: the garbage collector lets tens of megabytes of them pile up, and each then lies on fresh pages.
 */
export function release(array: Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>): void {
  if (array.byteLength === array.buffer.byteLength) array.buffer.transfer(0);
}
