import { type Signal, signal } from '@preact/signals';
import { type WatchEvent, watchEvents, watchFrame } from '../../watch/events.ts';
import { RunFeed } from './runFeed.ts';

/* The run that the server of this page tells of: `qkv train --watch`. */

/** `none`: the page comes from a server that tells of no run. */
export type Connection = 'looking' | 'none' | 'open' | 'lost' | 'over';

export const connection: Signal<Connection> = signal('looking');

export const watchFeed: RunFeed = new RunFeed(async (step) => {
  // the server is gone when the run is over, and drops some of many
  const response = await fetch(watchFrame(step)).catch(() => null);
  return response?.ok ? new Float32Array(await response.arrayBuffer()) : null;
});

/** Numbers of a frame up to which frames are fetched as they come, so that they are here when the server is gone. */
const SMALL_FRAME = 1 << 18;

let hasLooked = false;
/** Asks the server, once; from then on the run is told as it goes. */
export async function lookForWatched(): Promise<void> {
  if (hasLooked) return;
  hasLooked = true;
  const type = await fetch(watchEvents, { method: 'HEAD' }).then(
    ({ headers }) => headers.get('Content-Type') ?? '',
    () => '',
  );
  if (!type.startsWith('text/event-stream')) {
    connection.value = 'none';
    return;
  }
  let frameSize = 0;
  const source = new EventSource(watchEvents);
  source.onopen = () => (connection.value = 'open');
  source.onerror = () => {
    if (connection.value !== 'over') connection.value = 'lost'; // the browser tries again by itself
  };
  const coming = new Set<Promise<unknown>>();
  let newest: number | undefined;
  const fetchFrame = (step: number): void => {
    const frame = watchFeed.frame(step).finally(() => coming.delete(frame));
    coming.add(frame);
  };
  source.onmessage = ({ data }: MessageEvent<string>) => {
    const event = JSON.parse(data) as WatchEvent;
    watchFeed.hear(event);
    if (event.kind === 'run') {
      newest = undefined;
      frameSize = event.text?.maps.reduce((sum, { shape: [h, t, s] }) => sum + h * t * s, 0) ?? 0;
    }
    if (event.kind === 'attention') {
      newest = event.step;
      if (frameSize <= SMALL_FRAME) fetchFrame(newest);
    }
    if (event.kind !== 'end') return;
    connection.value = 'over';
    if (newest !== undefined) fetchFrame(newest);
    // The server goes when its listeners have gone.
    void Promise.allSettled(coming).then(() => source.close());
  };
}
