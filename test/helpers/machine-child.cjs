// One call in a process that lacks something; prints what it came to as JSON. Arguments: the dist
// folder's index, a video, and 'main' | 'worker' | 'files'.
const fs = require('node:fs');
const { isMainThread, Worker, workerData } = require('node:worker_threads');

const [index, video, mode] = isMainThread ? process.argv.slice(2) : workerData;

async function call() {
  try {
    const { decodeOnly } = require(index);
    const result = await decodeOnly({ videoPath: video, sequenceLength: 4 });
    const ids = [...result.sampledFrameIds];
    result.close();
    return { ids };
  } catch (error) {
    return { code: error.code, message: error.message };
  }
}

/** A call while no file can be opened, and one when that is over. */
async function withoutFiles() {
  require(index).buildInfo(); // Loaded before, as in a server that is at its limit.
  const open = [];
  try {
    for (;;) open.push(fs.openSync('/dev/null'));
  } catch {
    // As many as the process may have.
  }
  const without = await call();
  for (const fd of open) fs.closeSync(fd);
  return { without, after: await call() };
}

async function main() {
  process.stdout.write('started\n'); // Node itself had the threads it needs.
  if (isMainThread && mode === 'worker') {
    const worker = new Worker(__filename, { workerData: [index, video, mode] });
    worker.on('error', (error) => console.log(JSON.stringify({ node: error.code })));
    return;
  }
  console.log(JSON.stringify(mode === 'files' ? await withoutFiles() : await call()));
}

void main();
