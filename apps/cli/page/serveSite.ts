import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { QkvError } from '../../../src/base/errors.ts';
import { respond } from './respond.ts';
import type { Site } from './site.ts';

/** Where a port is looked for when none is named. */
const FIRST_PORT = 4173;
const PORTS = 20;
const GRACE_MS = 300;

export interface SiteOptions {
  readonly host: string;
  /** 0: any. Without it the first free one from 4173 on. */
  readonly port?: number | undefined;
}

export interface RunningSite extends AsyncDisposable {
  /** `http://127.0.0.1:4173/` */
  readonly url: string;
}

/** Serves what the site has now and what is put there later, until it is disposed. @throws QkvError `io` where it cannot listen */
export async function serveSite(site: Site, { host, port }: SiteOptions): Promise<RunningSite> {
  const server = createServer((request, response) => {
    respond(site, host, request, response).catch((error: Error) => {
      process.stderr.write(`note: ${request.url}: ${error.message}\n`);
      response.destroy();
    });
  });
  const ports = port === undefined ? Array.from({ length: PORTS }, (_, i) => FIRST_PORT + i) : [port];
  for (const one of [...ports, ...(port === undefined ? [0] : [])]) {
    const problem = await listen(server, host, one);
    if (problem === undefined) break;
    if (problem.code === 'EADDRINUSE' && port === undefined) continue;
    const isTaken = problem.code === 'EADDRINUSE';
    throw new QkvError('io', {
      where: `${host}, port ${one}`,
      got: isTaken ? 'a port that another program listens at' : problem.message,
      expected: 'an address of this machine and a free port',
      ...(isTaken && { hint: 'Another --port, or none: then a free one is found' }),
      cause: problem,
    });
  }
  const { port: found } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${found}/`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      // what has been answered may still be on its way; what has not is cut off
      await Promise.race([closed, setTimeout(GRACE_MS, undefined, { ref: false })]);
      server.closeAllConnections();
      await closed;
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((done) => {
    const fail = (error: NodeJS.ErrnoException): void => done(error);
    server.once('error', fail).listen(port, host, () => {
      server.off('error', fail);
      done(undefined);
    });
  });
}
