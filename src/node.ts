/** qkv in Node.js: the runtime on ONNX Runtime, model folders, recipes, files and PNG. The rest is in `qkv`. */

export { nodeStorage, replaceFolder } from './checkpoint/storage.node.ts';
export { readLines } from './data/files.node.ts';
export { matchFiles } from './data/matchFiles.node.ts';
export { type ReadRecordsOptions, type RecordFormat, readRecords } from './data/readRecords.node.ts';
export { drawCurvesPng, drawOutlinedSvg, drawPng, type PngOptions } from './draw/png.node.ts';
export { type EvaluationData, readEvaluationData } from './evaluate/readEvaluationData.node.ts';
export { type ConvertOptions, convertFolder } from './export/convertFolder.node.ts';
export { type Exported, type ExportOptions, exportFolder } from './export/exportFolder.node.ts';
export type { DatasetPart } from './hub/datasetFiles.ts';
export { hubDataset } from './hub/hubDataset.node.ts';
export { type HubName, parseHubName } from './hub/hubName.ts';
export type { HubProgress } from './hub/hubProgress.ts';
export { type OpenModelOptions, openModel } from './pretrained/openModel.node.ts';
export { sentenceEncoderAt } from './pretrained/sentenceEncoder.node.ts';
export { loadRecipe } from './recipe/loadRecipe.node.ts';
export { createNodeRuntime, type NodeRuntimeOptions } from './runtime/node/node.ts';
export type { LiveWeights } from './train/liveModel.ts';
export { type TrainedRun, type TrainRecipeOptions, trainRecipe } from './train/trainRecipe.node.ts';
