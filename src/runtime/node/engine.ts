import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { SimdKernels } from '../simdKernels.ts';
import type {
  Command,
  EngineOptions,
  Outcome,
  Request,
  Response,
  WireCall,
  WireTensor,
  WireTensors,
  WireValue,
} from './protocol.ts';

/*
 * A worker thread that owns ONNX Runtime sessions. `InferenceSession.run` works synchronously behind its promise: here it
 * blocks nobody. Requests are served in the order in which they come.
 */
const options = workerData as EngineOptions;
const sessions = new Map<number, InferenceSession>();
/** Tensors on shared memory, by the numbers that the other side gives them. */
const known = new Map<number, Tensor>();
const flatKernels = new SimdKernels();
const port = parentPort!;

const sessionOptions: InferenceSession.SessionOptions = {
  executionProviders: ['cpu'],
  intraOpNumThreads: options.threads,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  // The graph comes optimised. ONNX Runtime's own passes would fold the transpositions back into the products.
  graphOptimizationLevel: 'disabled',
  // plans for shapes that recur cost more memory than they save time
  enableMemPattern: false,
  logSeverityLevel: 3,
  ...(options.profile === null ? {} : { enableProfiling: true, profileFilePrefix: options.profile }),
  extra: { session: { intra_op: { allow_spinning: options.spinning ? '1' : '0' } } },
};

function toOrt({ dtype, shape, data }: WireTensor): Tensor {
  return new Tensor(dtype, data as never, shape);
}

function tensorOf(value: WireValue): Tensor {
  return typeof value === 'number' ? known.get(value)! : toOrt(value);
}

function fromOrt(tensor: Tensor): WireTensor {
  return { dtype: tensor.type as WireTensor['dtype'], shape: tensor.dims, data: tensor.data as WireTensor['data'] };
}

async function run(call: WireCall): Promise<WireTensors> {
  const session = sessions.get(call.program)!;
  const feeds = Object.fromEntries(Object.entries(call.feeds).map(([name, value]) => [name, tensorOf(value)]));
  // Where an output has a place to go, ONNX Runtime fills it; the copy that it returns as well is dropped.
  const fetches = Object.fromEntries(
    session.outputNames.map((name) => [name, name in call.into ? tensorOf(call.into[name]!) : null]),
  );
  const results = await session.run(feeds, fetches);
  const outputs: Record<string, WireTensor> = {};
  for (const [name, tensor] of Object.entries(results)) {
    if (name in call.into) tensor.dispose();
    else outputs[name] = fromOrt(tensor);
  }
  return outputs;
}

async function serve(command: Command): Promise<Outcome> {
  switch (command.kind) {
    case 'compile':
      sessions.set(command.program, await InferenceSession.create(command.model, sessionOptions));
      return {};
    case 'run': {
      for (const number of command.forget) known.delete(number);
      for (const [number, tensor] of command.learn) known.set(number, toOrt(tensor));
      const tensors: WireTensors[] = [];
      for (const call of command.calls) tensors.push(await run(call));
      return { tensors };
    }
    case 'flat':
      return { numbers: command.calls.map((call) => flatKernels.run(call)) };
    case 'release':
      await sessions.get(command.program)?.release();
      sessions.delete(command.program);
      return {};
    case 'close':
      for (const session of sessions.values()) {
        if (options.profile !== null) session.endProfiling();
        await session.release();
      }
      sessions.clear();
      return {};
  }
}

let last: Promise<void> = Promise.resolve();
port.on('message', ({ id, command }: Request) => {
  last = last.then(async () => {
    let response: Response;
    try {
      response = { id, outcome: await serve(command) };
    } catch (error) {
      response = { id, error: error instanceof Error ? error.message : String(error) };
    }
    port.postMessage(response);
    if (command.kind === 'close') port.close();
  });
});
