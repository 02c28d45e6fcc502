import { QkvError } from '../base/errors.ts';
import { type HubName, hubPath } from './hubName.ts';

/** No answer, half an answer, or one that says to come back later: what is in the cache may do instead, and trying again helps. */
export class HubUnreachable extends QkvError {
  constructor(where: string, reason: string, hint: string, cause?: unknown) {
    super('io', { where, got: `no answer: ${reason}`, hint, ...(cause !== undefined && { cause }) });
  }
}

/** An answer of the hub other than a success. It says more than the status in the headers `X-Error-Code` and `X-Error-Message`. */
export interface HubAnswer {
  readonly status: number;
  readonly code: string | null;
  readonly text: string;
  readonly url: string;
}

/** What was asked, and what the one who asked can do about a refusal. */
export interface HubAsked {
  readonly where: string;
  readonly name: HubName;
  readonly endpoint: string;
  /** About access: where a token is put, or that the one there is wrong. */
  readonly accessHint: string;
  /** About the connection. */
  readonly connectionHint: string;
  /** What else there is none of, for a name that is not known: `, nor a folder of this name here`. */
  readonly norElse: string;
}

/** What such an answer means. */
export function hubRefusal({ status, code, text, url }: HubAnswer, asked: HubAsked): QkvError {
  const { where, name, endpoint, accessHint, connectionHint, norElse } = asked;
  const said = `status ${status}${text && `, ${JSON.stringify(text)}`}`;
  const { kind, revision } = name;
  const address = `${endpoint}/${hubPath(name)}`;
  if (code === 'GatedRepo') {
    return new QkvError('io', {
      where,
      got: `a ${kind} whose owner gives access on request (${said})`,
      hint: `Accept its terms at ${address}. ${accessHint}`,
    });
  }
  if (code === 'RevisionNotFound') {
    const hint = `${address}/tree/main lists the branches and tags`;
    return new QkvError('io', { where, got: `no revision ${JSON.stringify(revision ?? 'main')}`, hint });
  }
  if (code === 'EntryNotFound') {
    const hint = 'Try again later: its owner may be changing it';
    return new QkvError('io', { where, got: `no file at ${url}, which the repository lists`, hint });
  }
  if (status === 401 || status === 404 || code === 'RepoNotFound') {
    return new QkvError('io', { where, got: `no such ${kind} (${said})${norElse}`, hint: accessHint });
  }
  if (status === 403) return new QkvError('io', { where, got: `no access (${said})`, hint: accessHint });
  if (status === 408 || status === 429 || status >= 500) return new HubUnreachable(where, said, connectionHint);
  return new QkvError('io', { where, got: said, expected: 'a success' });
}
