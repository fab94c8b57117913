// Decodes from a source that falls silent: workerData { video, answers }; posts when it has.
const fs = require('node:fs');
const { parentPort, workerData } = require('node:worker_threads');
require('../../scripts/require-ts.cjs');
const { decodeOnly } = require('../../src/index.ts');

const { video, answers } = workerData;
const bytes = fs.readFileSync(video);
let reads = 0;
const read = (offset, length) => {
  if (reads++ < answers) return Promise.resolve(bytes.subarray(offset, offset + length));
  parentPort.postMessage('silent');
  return new Promise(() => undefined);
};
decodeOnly({ videoPath: { size: bytes.length, read } });
