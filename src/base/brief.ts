const longest = 100;

/** A value of a file for a message: as JSON, at most about 100 characters of it. */
export function brief(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(value.length > longest ? `${value.slice(0, longest)}…` : value);
  }
  let text: string;
  try {
    text = JSON.stringify(value) ?? 'nothing';
  } catch {
    return typeof value === 'object' ? 'a value nested too deeply' : String(value); // JSON has no bigint
  }
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}
