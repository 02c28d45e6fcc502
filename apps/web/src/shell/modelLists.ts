/** A model in a list beside the page. */
export interface Listed {
  readonly name: string;
  readonly bytes?: number;
}

/** The models in `models/index.json` or `served/index.json`. @throws Error where there is no such list. */
export async function modelList(kind: 'models' | 'served'): Promise<readonly Listed[]> {
  const response = await fetch(new URL(`${kind}/index.json`, document.baseURI));
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  const list: unknown = await response.json();
  if (!Array.isArray(list)) throw new Error(`${kind}/index.json`);
  return list.flatMap((one: unknown) => {
    if (typeof one !== 'object' || one === null || !('name' in one) || typeof one.name !== 'string') return [];
    return [{ name: one.name, ...('bytes' in one && typeof one.bytes === 'number' && { bytes: one.bytes }) }];
  });
}
