import { createRequire } from 'node:module';
import { ortFileNames } from '../../web/src/worker/ortFiles.ts';
import { pageFolder } from './pageFolder.ts';
import { addFolder, type Site } from './site.ts';

/** Puts the built page there, with ONNX Runtime's files, which the published package leaves where they are installed. @throws QkvError `io` */
export async function addPage(site: Site, say: (text: string) => void): Promise<void> {
  addFolder(site, await pageFolder('web', say));
  const { resolve } = createRequire(import.meta.url);
  for (const name of ortFileNames) {
    const address = `ort/${name}`;
    if (!site.has(address)) site.set(address, { kind: 'file', path: resolve(`onnxruntime-web/${name}`) });
  }
}
