#!/usr/bin/env node
import module from 'node:module';

/*
 * The binary. Node keeps the compiled code of what is imported after the cache is on, which halves the start of a
 * command; so nothing else is imported here.
 */
if (Number(process.versions.node.split('.')[0]) < 24) {
  process.stderr.write(`qkv needs Node.js 24 or newer; this is ${process.versions.node}\n`);
  process.exit(1);
}
module.enableCompileCache();
const { run } = await import('./run.ts');
process.exitCode = await run(process.argv.slice(2));
