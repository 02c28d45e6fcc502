import { QkvError } from '../base/errors.ts';

/** A model or a dataset on the Hugging Face hub. */
export interface HubName {
  readonly kind: 'model' | 'dataset';
  /** `org/name` */
  readonly id: string;
  /** Branch, tag or commit; absent where the name gives none. */
  readonly revision: string | undefined;
}

const id = /^\w(?:[\w.-]*\w)?\/\w(?:[\w.-]*\w)?$/;
/** What git allows in the name of a branch, less what a path could do with it. */
const revision = /^[^\s\\:~^?*[\p{Cc}/]+(?:\/[^\s\\:~^?*[\p{Cc}/]+)*$/u;

/**
 * Reads `org/name` or `org/name@revision`; undefined for what cannot be an id, by the rules of the hub
 * (`validate_repo_id` of huggingface_hub): letters, digits, `_ - .`, no `--` or `..`, at most 96 characters.
 *
 * @throws QkvError `usage` for an id with an impossible revision.
 */
export function parseHubName(text: string, kind: HubName['kind'] = 'model'): HubName | undefined {
  const at = text.indexOf('@');
  const name = at === -1 ? text : text.slice(0, at);
  if (!id.test(name) || name.length > 96 || /--|\.\./.test(name)) return undefined;
  return { kind, id: name, revision: at === -1 ? undefined : checkRevision(text.slice(at + 1)) };
}

/** Where a repository is below the hub's address. */
export function hubPath({ kind, id }: HubName): string {
  return kind === 'model' ? id : `datasets/${id}`;
}

/** @throws QkvError `usage` */
export function checkRevision(text: string): string {
  if (revision.test(text) && !text.split('/').some((part) => /^\.+$/.test(part))) return text;
  throw new QkvError('usage', {
    where: 'revision',
    got: JSON.stringify(text),
    expected: 'a branch, a tag or a commit',
  });
}
