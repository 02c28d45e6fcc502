import { type EmbeddedScene, sceneElement } from './scene.ts';

/** Of this file. */
export const scene: EmbeddedScene = JSON.parse(document.getElementById(sceneElement)!.textContent) as EmbeddedScene;
