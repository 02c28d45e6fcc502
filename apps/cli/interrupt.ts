/**
 * A signal that Ctrl-C aborts, for commands that stop between two pieces of work; a second Ctrl-C ends the process at
 * once.
 */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => {
    controller.abort();
    process.once('SIGINT', () => process.exit(130));
  });
  return controller.signal;
}
