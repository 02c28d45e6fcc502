import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { create, type Font } from 'fontkitten';
import decompress from 'woff2-encoder/decompress';
import { QkvError } from '../base/errors.ts';
import type { GlyphSource } from './svg-text.ts';

/**
 * The typeface, in the order in which a character is looked for: one design in three parts. Noto Sans SC and TC take
 * their Latin from Source Sans, and TC adds the traditional characters that SC lacks.
 */
const FAMILIES = ['source-sans-3', 'noto-sans-sc', 'noto-sans-tc'] as const;
const WEIGHTS = [400, 600] as const;
type Weight = (typeof WEIGHTS)[number];

/** A file of a family holds some hundred characters; it is read when one of them is drawn. */
interface Family {
  readonly files: ReadonlyMap<number, readonly string[]>; // code point → files that may have it
}

interface Face {
  readonly byWeight: ReadonlyMap<Weight, Font>;
}

const require = createRequire(import.meta.url);
const families = new Map<string, Promise<Family>>();
const faces = new Map<string, Promise<Face>>();

/** Glyphs of a set of characters, and which of them no font has (drawn as a box with the code point). */
export interface Glyphs extends GlyphSource {
  readonly missing: readonly string[];
}

/**
 * Loads the glyphs of all characters in the texts from the fonts that come with qkv: Latin, Greek, Cyrillic, and
 * Chinese, simplified and traditional. Needs no font on the machine. Throws `QkvError` (`io`) where the font packages
 * are not installed.
 */
export async function loadGlyphs(texts: Iterable<string>): Promise<Glyphs> {
  const wanted = new Set<number>();
  for (const text of texts) for (const character of text) wanted.add(character.codePointAt(0)!);
  for (const digit of '0123456789ABCDEF') wanted.add(digit.codePointAt(0)!);
  const found = new Map<number, Face>();
  const missing: string[] = [];
  for (const point of wanted) {
    const face = await findFace(point);
    if (face !== undefined) found.set(point, face);
    else if (!isInvisible(point)) missing.push(String.fromCodePoint(point));
  }
  return { missing, outline: (text, weight) => outline(text, weight, found) };
}

async function findFace(point: number): Promise<Face | undefined> {
  for (const name of FAMILIES) {
    // The ranges that the packages list overlap, and promise more characters than the files hold.
    for (const file of (await family(name)).files.get(point) ?? []) {
      const face = await loadFace(file);
      if (face.byWeight.get(400)!.hasGlyphForCodePoint(point)) return face;
    }
  }
  return undefined;
}

function family(name: string): Promise<Family> {
  return memo(families, name, async () => {
    const root = `@fontsource-variable/${name}`;
    const ranges = JSON.parse(String(await readFont(`${root}/unicode.json`))) as Record<string, string>;
    const files = new Map<number, string[]>();
    for (const [key, list] of Object.entries(ranges)) {
      const file = `${root}/files/${name}-${key.replace(/[[\]]/g, '')}-wght-normal.woff2`;
      for (const range of list.split(',')) {
        const [from, to] = range
          .trim()
          .slice('U+'.length)
          .split('-')
          .map((hex) => Number.parseInt(hex, 16));
        for (let point = from!; point <= (to ?? from!); point++) files.set(point, [...(files.get(point) ?? []), file]);
      }
    }
    return { files };
  });
}

function loadFace(file: string): Promise<Face> {
  return memo(faces, file, async () => {
    // fontkitten reads WOFF2 but cannot vary the weight in it (its default is the thinnest), hence plain TrueType.
    const font = create(Buffer.from(await decompress(await readFont(file))));
    if (font.isCollection) throw new QkvError('io', { where: file, got: 'a font collection', expected: 'one font' });
    return { byWeight: new Map(WEIGHTS.map((weight) => [weight, font.getVariation({ wght: weight })])) };
  });
}

function memo<T>(cache: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let value = cache.get(key);
  if (value === undefined) cache.set(key, (value = make()));
  return value;
}

async function readFont(path: string): Promise<Buffer> {
  try {
    return await readFile(require.resolve(path));
  } catch (cause) {
    throw new QkvError('io', {
      where: path,
      hint: 'The font that qkv draws with is missing: install qkv again.',
      cause,
    });
  }
}

/** Joiners, direction marks, variation selectors: no ink of their own. */
function isInvisible(point: number): boolean {
  return /[\p{Cf}\p{Variation_Selector}]/u.test(String.fromCodePoint(point));
}

function outline(text: string, weight: Weight, found: ReadonlyMap<number, Face>): { path: string; advance: number } {
  let [path, advance] = ['', 0];
  for (const character of text) {
    const point = character.codePointAt(0)!;
    const font = found.get(point)?.byWeight.get(weight);
    if (character === '▁') {
      // SentencePiece's mark of a space; the fonts' glyph is a heavy block, an em wide.
      path += `M${Math.round(advance + 40)} 60h420v60h-420Z`;
      advance += 500;
    } else if (font !== undefined) {
      const glyph = font.glyphForCodePoint(point);
      const scale = 1000 / font.unitsPerEm;
      path += pathData(glyph.path.commands, advance, 0, scale);
      advance += glyph.advanceWidth * scale;
    } else if (!isInvisible(point)) {
      path += hexBox(point, advance, found);
      advance += 1000;
    }
  }
  return { path, advance };
}

const LETTERS = { moveTo: 'M', lineTo: 'L', quadraticCurveTo: 'Q', bezierCurveTo: 'C', closePath: 'Z' } as const;

/** Font units have y up, SVG has y down. */
function pathData(
  commands: readonly { readonly command: keyof typeof LETTERS; readonly args: readonly number[] }[],
  dx: number,
  dy: number,
  scale: number,
): string {
  const place = (value: number, i: number): number => Math.round(i % 2 === 0 ? dx + value * scale : dy - value * scale);
  return commands.map(({ command, args }) => LETTERS[command] + args.map(place).join(' ')).join('');
}

/** What stands for a character that no font has: a box with the code point in it, in two lines of hexadecimal. */
function hexBox(point: number, dx: number, found: ReadonlyMap<number, Face>): string {
  const box = `M${Math.round(dx + 60)} 100V-780H${Math.round(dx + 940)}V100ZM${Math.round(dx + 110)} 50H${Math.round(dx + 890)}V-730H${Math.round(dx + 110)}Z`;
  const hex = point.toString(16).toUpperCase();
  const digits = hex.padStart(hex.length > 4 ? 6 : 4, '0');
  const perLine = digits.length / 2;
  const step = 660 / perLine;
  let path = box;
  for (const [i, digit] of [...digits].entries()) {
    const code = digit.codePointAt(0)!;
    const font = found.get(code)!.byWeight.get(600)!;
    const [x, y] = [dx + 170 + (i % perLine) * step, i < perLine ? -400 : -30];
    path += pathData(font.glyphForCodePoint(code).path.commands, x, y, (perLine === 2 ? 480 : 400) / font.unitsPerEm);
  }
  return path;
}
