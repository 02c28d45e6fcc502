/** 1234567 → `1.2 MB`. */
export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${Math.round(bytes / 1000)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/** 262144 → `262K`. */
export function countText(count: number): string {
  if (count < 1000) return String(count);
  if (count < 1e6) return `${Math.round(count / 1000)}K`;
  return count < 1e9 ? `${(count / 1e6).toFixed(count < 1e7 ? 1 : 0)}M` : `${(count / 1e9).toFixed(1)}B`;
}
