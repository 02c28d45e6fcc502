import type { Findings } from '../../../../../src/why/experiment.ts';
import { t } from '../../i18n/why.ts';
import { CaveatsPart, ChartPart, ClaimsPart, MatrixPart, TablePart } from './FindingsParts.tsx';
import { Prose } from './Prose.tsx';
import { type Block, parseText } from './parseText.ts';

interface Props {
  readonly findings: Findings;
  /** Markdown; null: the findings alone. */
  readonly text: string | null;
}

/** The text of an experiment, with charts, tables and claims made of its findings where the text has them. */
export function ExperimentText({ findings, text }: Props) {
  const blocks = text === null ? withoutText(findings) : parseText(text);
  return (
    <div class="why-text">
      {blocks.map((block, i) => (
        <BlockPart key={i} block={block} findings={findings} />
      ))}
    </div>
  );
}

function withoutText({ charts, matrices = [], tables }: Findings): Block[] {
  const part = (kind: string, name = ''): Block => ({ kind: 'part', part: kind, name });
  return [
    ...charts.map(({ name }) => part('chart', name)),
    ...(matrices.length > 0 ? [part('matrices')] : []),
    ...tables.map(({ name }) => part('table', name)),
    { kind: 'heading', text: t('claims') },
    part('claims'),
    { kind: 'heading', text: t('caveats') },
    part('caveats'),
  ];
}

function BlockPart({ block, findings }: { readonly block: Block; readonly findings: Findings }) {
  switch (block.kind) {
    case 'heading':
      return <h2>{block.text}</h2>;
    case 'paragraph':
      return (
        <p>
          <Prose text={block.text} />
        </p>
      );
    case 'formula':
      return (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
        <pre tabIndex={0}>{block.text}</pre>
      );
    case 'list':
      return (
        <ul class="why-list">
          {block.items.map((item) => (
            <li key={item}>
              <Prose text={item} />
            </li>
          ))}
        </ul>
      );
    case 'part':
      return <Part part={block.part} name={block.name} findings={findings} />;
  }
}

function Part({ part, name, findings }: { readonly part: string; readonly name: string; readonly findings: Findings }) {
  switch (part) {
    case 'chart': {
      const chart = findings.charts.find((one) => one.name === name);
      return chart ? <ChartPart experiment={findings.experiment} chart={chart} /> : null;
    }
    case 'table': {
      const table = findings.tables.find((one) => one.name === name);
      return table ? <TablePart table={table} /> : null;
    }
    case 'matrices':
      return (
        <div class="why-matrices">
          {(findings.matrices ?? []).map((matrix) => (
            <MatrixPart key={matrix.name} matrix={matrix} />
          ))}
        </div>
      );
    case 'claims':
      return <ClaimsPart claims={findings.claims} />;
    case 'caveats':
      return <CaveatsPart caveats={findings.caveats} />;
    default:
      return null;
  }
}
