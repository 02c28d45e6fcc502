import { Command } from 'commander';
import { type CommandEntry, commands } from './commands.ts';
import { exitOnBrokenPipe, reportError, usageErrorOf } from './errors.ts';
import { packageVersion } from './packageRoot.ts';

/**
 * `qkv COMMAND …`: does what the words say and gives the exit code: 0, 1 where it failed, 2 for a wrong command line, 130
 * after Ctrl-C. Only the module of the command that was asked for is loaded: `qkv --help` loads none.
 */
export async function run(args: readonly string[]): Promise<number> {
  exitOnBrokenPipe();
  const isJson = args.includes('--json');
  try {
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

/** A wrong command line is thrown as a QkvError, for `run` to report. */
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
