import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { QkvError } from '../base/errors.ts';

/** Where the hub is, where its files are kept, and who asks. */
export interface HubSettings {
  /** Without a slash at its end. */
  readonly endpoint: string;
  /** The folder of `models--org--name` folders. */
  readonly cache: string;
  readonly isOffline: boolean;
  readonly token: string | undefined;
}

/**
 * Reads the environment variables of Python's huggingface_hub, with its defaults: `HF_ENDPOINT`, `HF_HUB_CACHE`, `HF_HOME`,
 * `HF_HUB_OFFLINE`, `HF_TOKEN`, `HF_TOKEN_PATH`.
 * https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
 *
 * @throws QkvError `usage` for values that cannot be
 */
export function hubSettings(environment: NodeJS.ProcessEnv = process.env): HubSettings {
  /** The first that is set and not empty. */
  const variable = (...names: string[]) => names.map((name) => environment[name]?.trim()).find((value) => value);
  const path = (...names: string[]) => variable(...names)?.replace(/^~(?=$|[/\\])/, homedir());
  const home = path('HF_HOME') ?? join(path('XDG_CACHE_HOME') ?? join(homedir(), '.cache'), 'huggingface');
  const endpoint = (variable('HF_ENDPOINT') ?? 'https://huggingface.co').replace(/\/+$/, '');
  if (!/^https?:/.test(URL.parse(endpoint)?.protocol ?? '')) {
    throw new QkvError('usage', { where: 'HF_ENDPOINT', got: endpoint, expected: 'an address, https://…' });
  }
  const tokenFile = path('HF_TOKEN_PATH') ?? join(home, 'token');
  const saved = () => (existsSync(tokenFile) ? readFileSync(tokenFile, 'utf8').trim() || undefined : undefined);
  const token = variable('HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN') ?? saved();
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    // The token itself is not shown.
    throw new QkvError('usage', { where: `HF_TOKEN or ${tokenFile}`, got: 'no access token', expected: 'hf_…' });
  }
  return {
    endpoint,
    cache: path('HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE') ?? join(home, 'hub'),
    isOffline: /^(1|on|yes|true)$/i.test(variable('HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE') ?? ''),
    token,
  };
}
