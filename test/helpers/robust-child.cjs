/**
 * Life cycles that need a process of their own. Prints one line of JSON. Uses dist/.
 *
 *   node --expose-gc test/helpers/robust-child.cjs SCENARIO VIDEO...
 */
'use strict';
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
const api = require(path.join(__dirname, '..', '..', 'dist', 'src', 'index.js'));

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const [scenario, ...videos] = isMainThread
  ? process.argv.slice(2)
  : [workerData.scenario, ...workerData.videos];

/** The same numbers in every run. */
function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const hashOf = (result) => {
  const hash = createHash('sha1');
  const arrays = result.frames
    ? [result.frames.data]
    : [result.patches.data, result.metadataTensors.fields.data, result.metadataTensors.scores.data];
  for (const a of arrays) hash.update(new Uint8Array(a.buffer, a.byteOffset, a.byteLength));
  return hash.digest('hex');
};

const call = (videoPath, options = {}) =>
  api.patchStream({ videoPath, backend: 'cpu', sequenceLength: 12, kKeep: 64, ...options });

async function collected(wanted, ms = 10_000) {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(20)) {
    global.gc();
    if (wanted()) return true;
  }
  return false;
}

const scenarios = {
  /** Aborts at 200 moments spread over the calls; what else but a result or an AbortError comes. */
  async aborts() {
    const random = seeded(6);
    const kinds = videos.flatMap((video) =>
      [api.patchStream, api.decodeOnly].flatMap((f) => [0, 8].map((c) => [f, video, c])),
    );
    const options = ([, videoPath, readerCacheSize], signal) => ({
      ...{ videoPath, readerCacheSize, signal, backend: 'cpu', sequenceLength: 8 },
    });
    const truth = [];
    for (const kind of kinds) {
      const started = performance.now();
      const result = await kind[0](options(kind));
      truth.push({ hash: hashOf(result), ms: performance.now() - started });
      result.close();
    }
    const counts = { aborted: 0, finished: 0, wrong: [] };
    for (let i = 0; i < 200; i++) {
      const which = Math.floor(random() * kinds.length);
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(i), random() * 1.2 * truth[which].ms);
      const outcome = await kinds[which][0](options(kinds[which], controller.signal)).then(
        (result) => {
          const hash = hashOf(result);
          result.close();
          return hash;
        },
        (error) => (error.cause === i ? error.name : `${error}`),
      );
      clearTimeout(timer);
      if (outcome === 'AbortError') counts.aborted++;
      else if (outcome === truth[which].hash) counts.finished++;
      else counts.wrong.push(outcome);
      // The next call.
      if (i % 4 === 0) {
        const next = await kinds[which][0](options(kinds[which]));
        if (hashOf(next) !== truth[which].hash) counts.wrong.push(`next after ${i}`);
        next.close();
      }
    }
    const settled = await collected(() => api.nativeStats().liveBuffers === 0);
    return { ...counts, settled, ...api.nativeStats() };
  },

  /** Streams whose memory was seen, or not, and that nobody closes. */
  async dropped() {
    const forget = async (i) => {
      const stream = await call(videos[0], { kKeep: 2048 });
      if (i % 2) stream.nextN(5).patches.data.fill(1);
      if (i % 3 === 0) for (const { patch } of stream) patch.data;
    };
    await forget(0);
    await collected(() => api.nativeStats().liveBuffers === 0);
    const before = process.memoryUsage().external;
    for (let i = 0; i < 10; i++) await forget(i);
    const held = process.memoryUsage().external;
    const all = await collected(() => api.nativeStats().liveBytes === 0);
    await collected(() => process.memoryUsage().external < before + 2 ** 19);
    return { all, before, held, after: process.memoryUsage().external };
  },

  /** Memory pressure alone makes the engine collect streams that nobody closes. */
  async pressure() {
    let most = 0;
    const large = { kKeep: 1e6, outputDtype: 'float32', sequenceLength: 4, inputSize: 672 };
    for (let i = 0; i < 80; i++) {
      await call(videos[0], large);
      most = Math.max(most, api.nativeStats().liveBytes);
    }
    return { mostMiB: most / 2 ** 20 };
  },

  /** Environments come and go, some terminated in mid-decode; the main thread decodes on. */
  async environments() {
    const truth = hashOf(await call(videos[0]));
    const start = () =>
      new Worker(__filename, { workerData: { scenario: 'worker', videos }, stdout: true });
    let ended = 0;
    const wrong = [];
    const live = async (i) => {
      const worker = start();
      const exited = new Promise((resolve) => worker.once('exit', resolve));
      worker.once('error', (error) => wrong.push(`${error}`));
      worker.on('message', (hash) => hash !== truth && wrong.push(hash));
      await new Promise((resolve) => worker.once('message', resolve));
      if (i % 3 === 0) await sleep((i * 7) % 20);
      if (i % 3 !== 1) await worker.terminate();
      else worker.postMessage('end');
      await exited;
      ended++;
    };
    for (let round = 0; round < 3; round++) {
      const all = Array.from({ length: 12 }, (_, i) => live(i));
      const own = await call(videos[0]);
      if (hashOf(own) !== truth) wrong.push('main');
      await Promise.all(all);
    }
    if (hashOf(await call(videos[0])) !== truth) wrong.push('afterwards');
    return { ended, wrong, threads: fs.readdirSync('/proc/self/task').length };
  },

  async worker() {
    let end = false;
    parentPort.once('message', () => (end = true));
    while (!end) {
      const stream = await call(videos[0]);
      parentPort.postMessage(hashOf(stream));
      stream.close();
    }
    return undefined;
  },

  /** A worker that dies of an error in mid-decode. */
  async workerError() {
    const code = `
      const { patchStream } = require(${JSON.stringify(path.join(__dirname, '..', '..', 'dist', 'src', 'index.js'))});
      for (let i = 0; i < 6; i++) patchStream({ videoPath: ${JSON.stringify(videos[0])}, backend: 'cpu', readerCacheSize: 0 });
      setTimeout(() => { throw new Error('on purpose'); }, 10);`;
    const truth = hashOf(await call(videos[0]));
    const messages = [];
    let slowest = 0;
    for (let i = 0; i < 5; i++) {
      const worker = new Worker(code, { eval: true });
      const exited = new Promise((resolve) => worker.once('exit', resolve));
      await new Promise((resolve) =>
        worker.once('error', (e) => resolve(messages.push(e.message))),
      );
      const started = performance.now();
      await exited;
      slowest = Math.max(slowest, performance.now() - started);
    }
    return { messages, slowest, same: hashOf(await call(videos[0])) === truth };
  },
};

scenarios[scenario]().then((result) => {
  if (isMainThread) console.log(JSON.stringify(result));
});
