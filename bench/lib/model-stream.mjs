/**
 * Ten videos and a model of one thread, in a process of its own: node model-stream.mjs WHAT JSON
 * WHAT: 'both' (inputStream feeds the model), 'decode' (inputStream alone), 'run' (the model alone, as often).
 * Waits for a line on stdin before it begins, so that two of them can begin together; prints { ms }.
 */
import { once } from 'node:events';
import * as ort from 'onnxruntime-node';
import { defineInput, inputStream, modelInputs } from '../../dist/src/inputs/index.js';
import { feeds, feedStream } from '../../dist/adapters/ort/index.js';

const [what, text] = process.argv.slice(2);
const { model, videos } = JSON.parse(text);
const input = defineInput({
  sample: { count: 16 },
  size: { short: 224, crop: 224 },
  resample: 'bilinear',
  normalize: 'imagenet',
  tensors: { pixel_values: { of: 'pixels', axes: 'n f c Y X' } },
});
const options = { decodeThreads: 1, readerCacheSize: 0 };
const ahead = { ...options, prefetchDepth: 1 };
const session = await ort.InferenceSession.create(model, {
  ...{ intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential' },
});
const first = await modelInputs(videos[0], input, options);
const fed = await feeds(session, first);
await session.run(fed);

const ways = {
  both: async () => {
    for await (const batch of feedStream(session, videos, { ...ahead, input })) {
      await session.run(batch.feeds);
    }
  },
  decode: async () => {
    for await (const inputs of inputStream(videos, input, ahead)) inputs.close();
  },
  run: async () => {
    for (let i = 0; i < videos.length; i++) await session.run(fed);
  },
};

process.stdout.write('{"ready":true}\n');
await once(process.stdin, 'data');
const start = performance.now();
await ways[what]();
process.stdout.write(`${JSON.stringify({ ms: performance.now() - start })}\n`);
process.exit(0);
