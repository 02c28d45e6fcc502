import { readdirSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';

/** What there is at an address. */
export type Resource =
  | { readonly kind: 'file'; readonly path: string }
  /** Made when it is asked for. */
  | { readonly kind: 'bytes'; readonly type: string; readonly body: () => string | Uint8Array }
  | { readonly kind: 'stream'; readonly open: (request: IncomingMessage, response: ServerResponse) => void };

/**
 * What a server serves: every resource by its address, without the first slash and decoded (`served/小/config.json`). An
 * address is looked up and never made into a path, so none leads out of what was put here.
 */
export type Site = Map<string, Resource>;

/** Puts the files of a folder, and of those in it, at their paths below `prefix`; links are left out. */
export function addFolder(site: Site, folder: string, prefix = ''): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) addFolder(site, path, `${prefix}${entry.name}/`);
    else if (entry.isFile() && !entry.name.startsWith('.')) site.set(prefix + entry.name, { kind: 'file', path });
  }
}

export function addJson(site: Site, address: string, value: () => unknown): void {
  site.set(address, { kind: 'bytes', type: 'application/json', body: () => JSON.stringify(value()) });
}
