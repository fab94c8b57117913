// Decodes in a worker thread: workerData { videos, endless, api }; posts what it selected.
const { parentPort, workerData } = require('node:worker_threads');
require('../../scripts/require-ts.cjs');
const { patchStream } = require('../../src/index.ts');

async function main() {
  const { videos, endless, options } = workerData;
  do {
    for (const videoPath of videos) {
      const call = patchStream({ videoPath, ...options });
      if (endless) parentPort.postMessage('started');
      const stream = await call;
      const indices = stream.metadata.map((m) => m.patchLinearIdx);
      if (!endless) parentPort.postMessage({ videoPath, indices, ids: stream.sampledFrameIds });
      stream.close();
    }
  } while (endless);
}

main().catch((error) => {
  process.nextTick(() => {
    throw error;
  });
});
