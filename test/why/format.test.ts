import { expect, it } from 'vitest';
import { fillParts } from '../../scripts/whyDocs.ts';
import type { Findings } from '../../src/why/experiment.ts';
import { figure, percent, spreadOf, spreadText } from '../../src/why/figures.ts';
import { formatFindings, formatTable } from '../../src/why/format.ts';
import { drawFindings } from '../../src/why/picture.ts';
import { parseXml, type XmlNode } from '../draw/parse-xml.ts';

const findings: Findings = {
  experiment: 'test',
  seed: 4,
  title: { en: 'A test', zh: '测试' },
  charts: [
    {
      name: 'line',
      title: { en: 'A line', zh: '线' },
      x: { label: { en: 'size', zh: '大小' }, scale: 'log', ticks: [16, 64] },
      y: { label: { en: 'value', zh: '值' }, scale: 'linear' },
      series: [
        {
          name: { en: 'measured', zh: '实测' },
          points: [
            { x: 16, y: 1, low: 0.5, high: 1.5 },
            { x: 64, y: 2 },
          ],
        },
        { name: { en: 'theory', zh: '理论' }, points: [{ x: 16, y: 3 }], isReference: true },
      ],
    },
  ],
  matrices: [
    {
      name: 'square',
      title: { en: 'A square', zh: '方阵' },
      rows: { label: { en: 'row', zh: '行' }, names: ['a', 'b'] },
      columns: { label: { en: 'column', zh: '列' }, names: ['c', 'd'] },
      values: [
        [0, 1.5],
        [0.25, 3],
      ],
    },
  ],
  tables: [
    {
      name: 'numbers',
      title: { en: 'Numbers', zh: '数字' },
      columns: [
        { en: 'what', zh: '名称' },
        { en: 'how much', zh: '多少' },
      ],
      rows: [
        [{ en: 'a|b', zh: '甲' }, 0.12345],
        ['c', 12],
      ],
    },
  ],
  claims: [
    { text: { en: 'It is so', zh: '是这样' }, evidence: { en: 'One.', zh: '一。' }, holds: true },
    { text: { en: 'It is not', zh: '不是这样' }, evidence: { en: 'Two.', zh: '二。' }, holds: false },
  ],
  caveats: [{ en: 'Small.', zh: '规模小。' }],
};

it.each([
  [12, '12'],
  [0.12345, '0.123'],
  [1234.5678, '1235'],
  [0.00012345, '1.23e-4'],
  [-2.5, '-2.50'],
  [1e7, '1.00e+7'],
  [0, '0'],
])('writes %s as %s', (value, text) => {
  expect(figure(value)).toBe(text);
});

it('writes what seeds gave with its range, where they differ', () => {
  expect(spreadText(spreadOf([0.5, 0.7, 0.9]))).toBe('0.700 (0.500–0.900)');
  expect(spreadText(spreadOf([0.25, 0.25]), percent)).toBe('25.0%');
});

it('aligns a table by what a terminal shows', () => {
  expect(formatTable(findings.tables[0]!, 'zh').split('\n')).toEqual([
    '**数字**',
    '',
    '| 名称 |  多少 |',
    '| ---- | ----: |',
    '| 甲   | 0.123 |',
    '| c    |    12 |',
  ]);
  expect(formatTable(findings.tables[0]!, 'en')).toContain('| a\\|b |    0.123 |');
});

it('says of each claim in words whether it holds', () => {
  const text = formatFindings(findings, 'en');
  expect(text).toContain('- ✓ holds: It is so\n  One.\n- ✗ does not hold: It is not\n  Two.');
  expect(formatFindings(findings, 'zh')).toContain('- ✓ 成立：是这样\n  一。\n- ✗ 不成立：不是这样\n  二。');
  expect(text).not.toContain('hurried');
  expect(formatFindings({ ...findings, isQuick: true }, 'en')).toContain('A hurried run');
});

it('draws all charts and matrices in one language', () => {
  const nodes = all(parseXml(drawFindings(findings, 'zh')));
  const texts = nodes.filter(({ name }) => name === 'text').map(({ text }) => text);
  for (const text of ['线', '实测', '理论', '大小', '16', '64', '方阵', '列', '1.5']) expect(texts).toContain(text);
  expect(texts).not.toContain('measured');
  expect(nodes.filter(({ attributes }) => attributes['fill-opacity'] !== undefined)).toHaveLength(1);
  const dashed = nodes.filter(({ attributes }) => attributes['stroke-dasharray'] !== undefined);
  expect(dashed).toHaveLength(2); // the reference and its sample beside its name
  expect(nodes.filter(({ name, attributes }) => name === 'rect' && attributes['stroke'] === '#e4e7eb')).toHaveLength(4);
});

it('fills the parts of a document, and refuses one that leaves claims out or names what is not there', () => {
  const marked = (...parts: string[]): string =>
    parts.map((part) => `<!-- ${part} -->\nold\n<!-- /${part} -->`).join('\n');
  const filled = fillParts(`# A\n${marked('table numbers', 'chart line', 'claims', 'caveats')}\nend`, findings, 'zh');
  expect(filled).toContain('<!-- table numbers -->\n**数字**');
  expect(filled).toContain('![线](test-line.zh-CN.svg)\n<!-- /chart line -->');
  expect(filled).not.toContain('old');
  expect(fillParts(filled, findings, 'zh')).toBe(filled);
  expect(() => fillParts(marked('claims'), findings, 'en')).toThrow('no part caveats');
  expect(() => fillParts(marked('claims', 'caveats', 'table none'), findings, 'en')).toThrow('no none, but numbers');
});

function all(node: XmlNode): XmlNode[] {
  return [node, ...node.children.flatMap(all)];
}
