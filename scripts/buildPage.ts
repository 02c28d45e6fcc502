/** Builds the page into dist/web and dist/embed, where the package has it. `qkv look` does the same in a clone when it is first needed. */
import { pageFolder } from '../apps/cli/page/pageFolder.ts';

const say = (text: string): void => console.log(text);
await pageFolder('web', say);
await pageFolder('embed', say);
