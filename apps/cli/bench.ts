import { Command } from 'commander';

/** The benchmarks are programs of the repository, not of the package. */
export function benchCommand(): Command {
  return new Command()
    .option('--json', 'print the answer as JSON')
    .addHelpText('after', '\nExample:\n  qkv bench')
    .action(({ json }: { json?: boolean }) => {
      const command = 'npm run bench -- T1';
      const text = `The benchmarks are in the repository's bench folder. In a clone of it: ${command}\n`;
      process.stdout.write(json ? `${JSON.stringify({ command })}\n` : text);
    });
}
