const longest = 100;

/** At most about 100 characters of a text, for a message. */
export function cut(text: string): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

/** A value of a file for a message: as JSON, at most about 100 characters of it. */
export function brief(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(cut(value));
  try {
    return cut(JSON.stringify(value) ?? 'nothing');
  } catch {
    return typeof value === 'object' ? 'a value nested too deeply' : String(value); // JSON has no bigint
  }
}
