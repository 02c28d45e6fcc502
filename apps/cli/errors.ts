import type { Command, CommanderError } from 'commander';
import { QkvError } from '../../src/base/errors.ts';
import { nearest } from '../../src/recipe/nearest.ts';

/** Help or the version was printed, and that is all. */
class Finished extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super();
    this.exitCode = exitCode;
  }
}

/** The user pressed Ctrl-C and the command stopped where it could. */
export class Interrupted extends Error {}

/** What commander found wrong with the command line, in the form of all other errors. */
export function usageErrorOf(command: Command, error: CommanderError): Error {
  if (error.exitCode === 0) return new Finished(0);
  if (error.code === 'commander.help') return new Finished(2); // a command that is only the parent of others
  const where = fullName(command);
  const got = error.message.replace(/^error: /, '').replace(/\.$/, '');
  const word = /'([^' ]+)/.exec(got)?.[1];
  const known =
    error.code === 'commander.unknownCommand'
      ? command.commands.map((sub) => sub.name())
      : command.options.flatMap(({ short, long }) => [short, long].filter((flag) => flag !== undefined));
  const isUnknown = error.code === 'commander.unknownOption' || error.code === 'commander.unknownCommand';
  const meant = isUnknown && word !== undefined ? nearest(word, [...known, '--help']) : undefined;
  const help = `${where} --help lists what there is`;
  const hint = meant === undefined ? help : `Did you mean ${meant}? ${help}`;
  return new QkvError('usage', { where, got, hint });
}

function fullName(command: Command): string {
  return command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();
}

/** Says on stderr what went wrong; gives the exit code. */
export function reportError(error: unknown, isJson: boolean): number {
  if (error instanceof Finished) return error.exitCode;
  if (error instanceof Interrupted) {
    process.stderr.write('stopped\n');
    return 130; // 128 + SIGINT, as shells have it
  }
  if (error instanceof QkvError) {
    const { where, got, expected, hint } = error.parts;
    if (isJson)
      process.stderr.write(`${JSON.stringify({ error: { code: error.code, where, got, expected, hint } })}\n`);
    else process.stderr.write(block(error));
    return error.code === 'usage' ? 2 : 1;
  }
  process.stderr.write('This is a defect of qkv. Please report it with what follows.\n');
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return 1;
}

/** `error (code): where` and a line for each part. */
function block({ code, parts }: QkvError): string {
  const lines = [`error (${code}): ${parts.where}`];
  for (const name of ['got', 'expected', 'hint'] as const) {
    const text = parts[name];
    if (text !== undefined) lines.push(`  ${name.padEnd(9)}${text.replaceAll('\n', `\n${' '.repeat(11)}`)}`);
  }
  return `${lines.join('\n')}\n`;
}

/** A reader that has gone (`qkv … | head`) ends the process without a word. */
export function exitOnBrokenPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      process.exit(0);
    });
  }
}
