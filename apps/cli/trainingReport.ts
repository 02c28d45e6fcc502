import type { TrainingEvent } from '../../src/train/events.ts';
import type { Sample } from '../../src/train/task.ts';

/** A run as lines of text: a line that is rewritten at each step where the stream is a terminal, else one a logged step. */
export class TrainingReport {
  readonly #stream: NodeJS.WriteStream;
  #hasLine = false;
  #drawn = 0;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  show(event: TrainingEvent): void {
    if (event.kind === 'step') this.#step(event);
    else this.#print(this.#text(event));
  }

  #text(event: Exclude<TrainingEvent, { kind: 'step' }>): string {
    switch (event.kind) {
      case 'notice':
        return `note: ${event.text}`;
      case 'start': {
        const { name, family, parameters, vocabulary, step, steps, folder } = event;
        const span = step === 0 ? `up to ${steps} steps` : `from step ${step} on, up to ${steps}`;
        const what = `${name}: ${family}, ${grouped(parameters)} parameters, vocabulary ${grouped(vocabulary)}`;
        return `${what}\n${span}, into ${folder}`;
      }
      case 'validation': {
        const { step, isBest, samples } = event;
        const { loss, perplexity, losses: terms, accuracies } = event.validation;
        const right = Object.entries(accuracies ?? {}).map(([name, share]) => `  ${name} right ${percent(share)}`);
        const of = terms ? ` (${listed(terms)})` : '';
        const words = perplexity === undefined ? '' : `  perplexity ${perplexity.toFixed(2)}`;
        const losses = `validation loss ${loss.toFixed(4)}${of}${words}${right.join('')}`;
        const best = isBest ? '  (best so far)' : '';
        const head = `step ${step}  ${losses}${scoreText(event.validation)}${best}`;
        const shown = samples.some(({ reference }) => reference !== undefined) ? samples.slice(0, 1) : samples;
        return [head, ...shown.map(sampleText)].join('\n');
      }
      case 'saved':
        return this.#stream.isTTY ? '' : `step ${event.step}  saved ${event.snapshot}`;
      case 'test':
        return `test${scoreText(event.test)}  ${event.test.signature ?? ''}`.trimEnd();
    }
  }

  /** Ends the line that is being rewritten. */
  end(): void {
    if (this.#hasLine) this.#stream.write('\n');
    this.#hasLine = false;
  }

  #step(event: Extract<TrainingEvent, { kind: 'step' }>): void {
    const { step, steps, loss, losses, learningRate, gradientNorm, tokensPerSecond, secondsLeft, logged } = event;
    const text = [
      `step ${step}/${steps}`,
      `loss ${loss.toFixed(4)}${losses ? ` (${listed(losses)})` : ''}`,
      `lr ${learningRate.toExponential(2)}`,
      `norm ${gradientNorm.toFixed(2)}`,
      `${grouped(Math.round(tokensPerSecond))} tokens/s`,
      `${duration(secondsLeft)} left`,
    ].join('  ');
    if (!this.#stream.isTTY) {
      if (logged) this.#stream.write(`${text}\n`);
      return;
    }
    const now = performance.now();
    if (now - this.#drawn < 100 && step !== steps) return;
    this.#drawn = now;
    this.#stream.write(`\r\x1b[2K${text.slice(0, (this.#stream.columns ?? 80) - 1)}`);
    this.#hasLine = true;
  }

  #print(text: string): void {
    if (text === '') return;
    if (this.#hasLine) this.#stream.write('\r\x1b[2K');
    this.#hasLine = false;
    this.#stream.write(`${text}\n`);
  }
}

/** A translation with its source and reference, or a text. */
export function sampleText({ input, output, reference }: Sample): string {
  if (reference === undefined) return `  ${(input + output).trim().replaceAll('\n', '\n  ')}`;
  return [`  source      ${input}`, `  translation ${output}`, `  reference   ${reference}`].join('\n');
}

function scoreText(scores: {
  readonly bleu?: number | undefined;
  readonly chrf?: number | undefined;
  readonly scores?: Readonly<Record<string, number>> | undefined;
  readonly sentences?: number | undefined;
}): string {
  const { bleu, chrf, sentences } = scores;
  const of = sentences === undefined ? '' : ` on ${grouped(sentences)} sentences`;
  if (scores.scores) return `  ${listed(scores.scores)}${of.replace('sentences', 'examples')}`;
  if (bleu !== undefined) return `  BLEU ${bleu.toFixed(2)}${of}`;
  return chrf === undefined ? '' : `  chrF ${chrf.toFixed(2)}${of}`;
}

function listed(losses: Readonly<Record<string, number>>): string {
  return Object.entries(losses)
    .map(([name, loss]) => `${name} ${loss.toFixed(4)}`)
    .join(', ');
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}

function grouped(count: number): string {
  return count.toLocaleString('en-US');
}

function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h} h ${m} min` : m > 0 ? `${m} min ${s} s` : `${s} s`;
}
