export interface XmlNode {
  readonly name: string;
  readonly attributes: Record<string, string>;
  readonly children: XmlNode[];
  /** Text directly inside, entities resolved. */
  text: string;
}

/** A strict reader of the XML that drawings use: every tag closed in order, quoted attributes, known entities only. */
export function parseXml(source: string): XmlNode {
  const root: XmlNode = { name: '', attributes: {}, children: [], text: '' };
  const stack = [root];
  const token = /<(\/?)([a-zA-Z]+)((?:\s+[\w:-]+="[^"<]*")*)(\/?)>|([^<]+)/gy;
  while (token.lastIndex < source.length) {
    const at = token.lastIndex;
    const match = token.exec(source);
    if (match === null) throw new Error(`not well-formed: ${source.slice(at, at + 80)}`);
    const [, close, name, attributes = '', empty, text] = match;
    const top = stack.at(-1)!;
    if (text !== undefined) top.text += resolve(text);
    else if (close === '/') {
      if (top.name !== name) throw new Error(`<${top.name}> closed by </${name}>`);
      stack.pop();
    } else {
      const pairs = Array.from(attributes.matchAll(/([\w:-]+)="([^"]*)"/g), ([, key, value]) => [key, resolve(value!)]);
      const node: XmlNode = { name: name!, attributes: Object.fromEntries(pairs), children: [], text: '' };
      top.children.push(node);
      if (empty !== '/') stack.push(node);
    }
  }
  if (stack.length > 1) throw new Error(`<${stack.at(-1)!.name}> is not closed`);
  return root.children[0]!;
}

function resolve(text: string): string {
  // Characters that XML 1.0 allows nowhere.
  const bad = Array.from(text).find((c) => (c < ' ' && !'\t\n\r'.includes(c)) || (c >= '\ud800' && c <= '\udfff'));
  if (bad !== undefined) throw new Error(`character U+${bad.codePointAt(0)!.toString(16)} in XML`);
  return text.replace(/&([^;]*);?/g, (whole, entity: string) => {
    if (!/^#\d+$/.test(entity)) throw new Error(`entity ${whole}`);
    return String.fromCodePoint(Number(entity.slice(1)));
  });
}
