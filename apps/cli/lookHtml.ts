import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { QkvError } from '../../src/base/errors.ts';
import { attentionMaps, isOfSource } from '../../src/inspect/attention.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { type EmbeddedScene, sceneElement } from '../web/src/embed/scene.ts';
import { OpenModel } from '../web/src/worker/openModel.ts';
import { type LookTexts, readLookTexts } from './lookTexts.ts';
import { openPretrained } from './openPretrained.ts';
import { pageFolder } from './page/pageFolder.ts';
import { nameOf } from './page/servedModels.ts';

/** Writes one HTML file with all attention maps of a text, in the page's own view: it needs no server and fetches nothing. */
export async function lookHtml(path: string, texts: LookTexts, out: string): Promise<void> {
  const pretrained = await openPretrained(path);
  const folder = await pageFolder('embed', (line) => process.stderr.write(`${line}\n`));
  await using runtime = await createNodeRuntime();
  using model = new OpenModel(runtime, pretrained, { model: 1, name: nameOf(path), examples: [] });
  const html = withScene(await readFile(join(folder, 'embed.html'), 'utf8'), await sceneOf(model, texts));
  await writeFile(out, html).catch((cause: Error) => {
    throw new QkvError('io', { where: out, got: cause.message, expected: 'a file that can be written', cause });
  });
  process.stdout.write(`${out}\n`);
}

async function sceneOf(model: OpenModel, texts: LookTexts): Promise<EmbeddedScene> {
  const { input, reading } = await readLookTexts(model, texts);
  const found = await attentionMaps(model.inspection, reading);
  const bytes = found.map(({ weights: { data } }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return {
    card: model.card,
    input,
    reading: model.shownReading(input, reading),
    maps: found.map((map) => {
      const { path, kind, layer, heads } = map;
      const queries = isOfSource(model.inspection.model, map) ? 'source' : 'target';
      return { place: { path, kind, layer, heads }, queries, keys: kind === 'cross' ? 'source' : queries };
    }),
    weights: deflateRawSync(Buffer.concat(bytes)).toString('base64'),
  };
}

/** Nothing of the text or of the model can end the element: of the characters that could, JSON has another way to write `<`. */
function withScene(html: string, scene: EmbeddedScene): string {
  const json = JSON.stringify(scene).replaceAll('<', '\\u003c');
  const element = `<script type="application/json" id="${sceneElement}">`;
  const at = html.indexOf(element) + element.length;
  return html.slice(0, at) + json + html.slice(at);
}
