/** How far a download is. */
export interface HubProgress {
  readonly id: string;
  /** The file that is coming. */
  readonly file: string;
  /** Bytes of all files that were missing; those that an earlier attempt left count as done. */
  readonly done: number;
  readonly total: number;
}
