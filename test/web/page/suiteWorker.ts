import { expose } from 'comlink';
import { runtimeSuite } from './runtimeSuite.ts';

expose(runtimeSuite);
