/**
 * GPT-2's printable stand-ins for the 256 bytes, in the order of its vocabulary: the bytes that print as themselves in
 * Latin-1 come first (! to ~, ¡ to ¬, ® to ÿ), then the other 68 as U+0100 and up. So a space is written Ġ and a
 * newline Ċ. Source: `bytes_to_unicode` of https://github.com/openai/gpt-2/blob/master/src/encoder.py
 */
function printsAsItself(byte: number): boolean {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

const allBytes: readonly number[] = Array.from({ length: 256 }, (_, byte) => byte);
const hidden: readonly number[] = allBytes.filter((byte) => !printsAsItself(byte));

/** The bytes in the order of GPT-2's vocabulary. */
export const byteOrder: readonly number[] = [...allBytes.filter(printsAsItself), ...hidden];

/** `byteToChar[byte]` is the character that stands for the byte. */
export const byteToChar: readonly string[] = allBytes.map((byte) =>
  String.fromCharCode(printsAsItself(byte) ? byte : 0x100 + hidden.indexOf(byte)),
);
