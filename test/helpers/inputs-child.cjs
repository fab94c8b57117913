// Many videos through model inputs in a process of its own: node --expose-gc inputs-child.cjs FOLDER COUNT
// Prints the resident memory after each tenth, and what is left of native memory.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { nativeStats } = require('codec-patch-stream');
const {
  codecCanvases,
  defineInput,
  inputStream,
  modelInputs,
} = require('codec-patch-stream/inputs');

const [folder, wanted] = process.argv.slice(2);
const count = Number(wanted);
const clips = fs.readdirSync(folder).map((name) => path.join(folder, name));
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Frees what only the garbage collector frees. */
async function settled() {
  for (let i = 0; i < 5; i++) {
    globalThis.gc();
    await turn();
  }
}

const small = defineInput({
  sample: { count: 8 },
  size: { area: [3136, 50176], multipleOf: 28 },
  resample: 'bicubic',
  normalize: 'clip',
  patch: { size: 14, frames: 2, merge: 2 },
  tensors: {
    rows: { of: 'pixels', axes: '(n t H W a b) (c s y x)', dtype: 'float16' },
    grid: { of: 'grid' },
    places: { of: 'positions' },
  },
});
const codec = { sample: { count: 8, place: 'linspace' }, select: { kKeep: { frames: 2 } } };

/** One video in one of the ways there are; some are left open, given up or no videos. */
const ways = [
  async (video) => (await modelInputs(video, 'clip')).close(),
  async (video) => (await modelInputs([video, video], small)).close(),
  async (video) => (await modelInputs(video, 'onevision-encoder-codec', codec)).close(),
  async (video) => (await modelInputs(video, 'siglip2', { sample: { count: 2 } })).close(),
  async (video) => {
    const stream = inputStream([video, 'missing.mp4', video, video], small, { onError: 'skip' });
    for await (const inputs of stream) {
      inputs.close();
      break;
    }
  },
  async (video) => {
    const windows = { frames: 8, hop: 4 };
    for await (const inputs of inputStream([video], small, { windows })) inputs.close();
  },
  async (video) => {
    const abort = new AbortController();
    const call = modelInputs(video, small, { signal: abort.signal });
    setImmediate(() => abort.abort());
    await call.then(
      (inputs) => inputs.close(),
      () => undefined,
    );
  },
  async (video) => void (await modelInputs(video, small)).tensors.rows.data, // left to the collector
  async (video) => {
    const canvases = await codecCanvases(video, { canvases: 4, maxPixels: 20000 });
    (await canvases.inputs()).close();
    canvases.close();
  },
];

async function main() {
  const rss = [];
  for (let i = 0; i < count; i++) {
    await ways[i % ways.length](clips[i % clips.length]);
    if ((i + 1) % (count / 10) !== 0) continue;
    await settled();
    rss.push(process.memoryUsage().rss / 2 ** 20);
  }
  await settled();
  const { liveBuffers, liveBytes, callsInFlight } = nativeStats();
  console.log(JSON.stringify({ rss, left: { liveBuffers, liveBytes, callsInFlight } }));
}

main();
