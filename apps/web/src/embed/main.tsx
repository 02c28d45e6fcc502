import { render } from 'preact';
import '../style/tokens.css';
import '../style/base.css';
import '../app.css';
import { edits, input, modelSource, replaceInput } from '../state/scene.ts';
import { EmbedApp } from './EmbedApp.tsx';
import { scene } from './sceneHere.ts';

// whatever the address says of another text
edits.value = {};
if (JSON.stringify(input.value) !== JSON.stringify(scene.input)) replaceInput(scene.input);
modelSource.value = { kind: 'served', name: scene.card.name };
render(<EmbedApp scene={scene} />, document.getElementById('page')!);
