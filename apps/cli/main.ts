#!/usr/bin/env node
import { Command } from 'commander';
import { type CommandEntry, commands } from './commands.ts';
import { exitOnBrokenPipe, reportError, usageErrorOf } from './errors.ts';
import { packageVersion } from './packageRoot.ts';

/*
 * `qkv COMMAND …`. Only the module of the command that was asked for is loaded: `qkv --help` loads none.
 */
async function main(args: readonly string[]): Promise<number> {
  exitOnBrokenPipe();
  const isJson = args.includes('--json');
  try {
    if (Number(process.versions.node.split('.')[0]) < 24) {
      process.stderr.write(`qkv needs Node.js 24 or newer, this is ${process.versions.node}\n`);
      return 1;
    }
    const program = await programFor(args.find((word) => !word.startsWith('-')));
    if (args.length === 0) {
      program.outputHelp({ error: true });
      return 2;
    }
    await program.parseAsync(args, { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : 0;
  } catch (error) {
    return reportError(error, isJson);
  }
}

async function programFor(wanted: string | undefined): Promise<Command> {
  const program = new Command('qkv')
    .description('Train, run and look inside Transformers.')
    .usage('COMMAND …')
    .version(packageVersion(), '--version', 'print the version')
    .addHelpText('after', '\nqkv COMMAND --help says more about a command and has an example.');
  for (const [name, entry] of Object.entries(commands)) {
    program.addCommand(name === wanted ? await load(name, entry) : new Command(name).description(entry.summary));
  }
  makeStrict(program);
  return program;
}

async function load(name: string, { summary, load }: CommandEntry): Promise<Command> {
  const command = await load();
  return command.name(name).description(command.description() || summary);
}

/** A wrong command line is thrown as a QkvError, for `main` to report. */
function makeStrict(command: Command): void {
  command
    .helpOption('--help', 'print help')
    .helpCommand(false)
    .allowExcessArguments(false)
    .showSuggestionAfterError(false)
    .configureOutput({ outputError: () => {} })
    .exitOverride((error) => {
      throw usageErrorOf(command, error);
    });
  for (const sub of command.commands) makeStrict(sub);
}

process.exitCode = await main(process.argv.slice(2));
