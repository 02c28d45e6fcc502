/** A piece of an experiment's text. `part`: what `scripts/whyDocs.ts` fills in, which the page shows in a form that answers. */
export type Block =
  | { readonly kind: 'heading'; readonly text: string }
  | { readonly kind: 'paragraph'; readonly text: string }
  | { readonly kind: 'formula'; readonly text: string }
  | { readonly kind: 'list'; readonly items: readonly string[] }
  | { readonly kind: 'part'; readonly part: string; readonly name: string };

/**
 * The Markdown of docs/why: headings, paragraphs, indented formulas, lists, and parts between comments. The title, and the line that
 * links to the other language, are left out: the page has its own.
 */
export function parseText(markdown: string): Block[] {
  const parts: Block[] = [];
  const marked = markdown.replaceAll(
    /<!-- ((\w+)(?: (\S+))?) -->[\s\S]*?<!-- \/\1 -->/g,
    (_, _all, part: string, name = '') => `\n\n\u0000${parts.push({ kind: 'part', part, name }) - 1}\n\n`,
  );
  return marked
    .split(/\n(?:[ \t]*\n)+/)
    .filter((block) => block.trim() !== '' && !/^# /.test(block) && !/^\[[^\]]+\]\([\w.-]+\.md\)/.test(block))
    .map((block): Block => {
      if (block.startsWith('\u0000')) return parts[Number(block.slice(1))]!;
      if (block.startsWith('## ')) return { kind: 'heading', text: block.slice(3) };
      if (/^ {4}/.test(block)) return { kind: 'formula', text: block.replaceAll(/^ {4}/gm, '') };
      if (/^[-*] /.test(block)) {
        return { kind: 'list', items: block.split(/\n(?=[-*] )/).map((item) => joinLines(item.slice(2))) };
      }
      return { kind: 'paragraph', text: joinLines(block) };
    });
}

/** Lines of a paragraph as one; between Chinese characters there is no space. */
function joinLines(text: string): string {
  return text.replaceAll(/(.)\n\s*(.)/gu, (_, before: string, after: string) =>
    /[\p{Script=Han}，。；：、）（]/u.test(before) && /[\p{Script=Han}，。；：、）（]/u.test(after)
      ? before + after
      : `${before} ${after}`,
  );
}

/** A run of text: plain, `code`, **strong**, *stressed*, or a link. */
export type Span =
  | { readonly kind: 'plain' | 'code' | 'strong' | 'em'; readonly text: string }
  | { readonly kind: 'link'; readonly text: string; readonly href: string };

export function parseSpans(text: string): Span[] {
  const spans: Span[] = [];
  let at = 0;
  const marks = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*|\[([^\]]+)\]\(([^)\s]+)\)/g;
  for (const match of text.matchAll(marks)) {
    if (match.index > at) spans.push({ kind: 'plain', text: text.slice(at, match.index) });
    const [whole, code, strong, em, link, href] = match;
    if (code !== undefined) spans.push({ kind: 'code', text: code });
    else if (strong !== undefined) spans.push({ kind: 'strong', text: strong });
    else if (em !== undefined) spans.push({ kind: 'em', text: em });
    else spans.push({ kind: 'link', text: link!, href: href! });
    at = match.index + whole.length;
  }
  if (at < text.length) spans.push({ kind: 'plain', text: text.slice(at) });
  return spans;
}
