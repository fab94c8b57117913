/**
 * The README's lines as a user's program, for scripts/runtimes.mjs: prints one line of JSON that is
 * the same wherever it runs right. `node program.cjs VIDEO [MODE]`; a worker runs the same file.
 * MODE 'few-threads' leaves out what asks the runtime for threads of its own, 'no-index-folder'
 * asks for a folder of indexes that cannot be used and adds what the result says of it, 'many-calls'
 * makes twenty calls at once and prints what they came to.
 */
const { createHash } = require('node:crypto');
const path = require('node:path');
const threads = require('node:worker_threads');
const { Worker, isMainThread, parentPort, workerData } = threads;
if (isMainThread) console.log('started'); // the runtime itself had what it needs
const api = require('codec-patch-stream');

const digest = (...arrays) => {
  const hash = createHash('sha256');
  for (const a of arrays) hash.update(Buffer.from(a.buffer, a.byteOffset, a.byteLength));
  return hash.digest('hex').slice(0, 16);
};

async function patches(videoPath) {
  const stream = await api.patchStream({
    ...{ videoPath, backend: 'cpu', sequenceLength: 8, kKeep: 256, outputDtype: 'fp32' },
  });
  const { fields, scores } = stream.metadataTensors;
  const count = [...stream].length;
  const text = `${count} ${digest(stream.patches.data, stream.positions.data, fields.data, scores.data)}`;
  stream.close();
  return text;
}

async function frames(videoPath) {
  const result = await api.decodeOnly({ videoPath, backend: 'cpu', sequenceLength: 8 });
  const copy = new Uint8Array(new SharedArrayBuffer(result.frames.length));
  result.frames.copyTo(copy);
  const text = `${result.width}x${result.height} ${digest(result.frames.data)} ${digest(copy)}`;
  result.close();
  return text;
}

const refusal = (call) =>
  call().then(
    () => 'accepted',
    (e) => `${e.name} ${e.code} ${e instanceof api.CodecPatchStreamError}`,
  );

/** The code of what is said about memory that was given away; where a runtime can do that. */
async function transferred(videoPath) {
  const stream = await api.patchStream({ videoPath, backend: 'cpu', sequenceLength: 1, kKeep: 4 });
  const { data } = stream.patches;
  if (typeof data.buffer.transfer !== 'function') return 'ERR_CPS_CLOSED';
  data.buffer.transfer();
  return stream.patches.toFloat32().then(
    (values) => `${values.length} values`,
    (e) => e.code,
  );
}

/** The names of results of which structuredClone makes something else, without an error. */
async function cloned(videoPath) {
  if (typeof threads.markAsUncloneable !== 'function') return [];
  const stream = await api.patchStream({ videoPath, backend: 'cpu', sequenceLength: 1, kKeep: 4 });
  const video = await api.openVideo(videoPath);
  const wrong = [];
  for (const [name, object] of Object.entries({ stream, tensor: stream.patches, video })) {
    try {
      structuredClone(object);
      wrong.push(name);
    } catch (e) {
      if (e.name !== 'DataCloneError') wrong.push(`${name}: ${e.name}`);
    }
  }
  await video.close();
  stream.close();
  return wrong;
}

function inWorker(videoPath) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(__filename, { workerData: { videoPath } });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

async function notesWithFolder(videoPath) {
  const readerCacheDir = path.join(path.dirname(videoPath), 'indexes');
  const result = await api.decodeOnly({ videoPath, sequenceLength: 8, readerCacheDir });
  const notes = result.notes.map((note) => `${note.code}: ${note.message}`);
  result.close();
  return notes;
}

/** 'worked' and the codes of those that did not. */
async function manyCalls(videoPath) {
  const options = { videoPath, backend: 'cpu', sequenceLength: 8, width: 64, height: 64 };
  const call = () =>
    api.decodeOnly(options).then(
      (result) => {
        result.close();
        return 'worked';
      },
      (e) => e.code,
    );
  return [...new Set(await Promise.all(Array.from({ length: 20 }, call)))].sort();
}

async function main() {
  const [videoPath, mode] = process.argv.slice(2);
  if (mode === 'many-calls') {
    console.log(JSON.stringify({ outcomes: await manyCalls(videoPath) }));
    return;
  }
  const abort = new AbortController();
  const aborted = refusal(() => {
    const call = api.patchStream({ videoPath, backend: 'cpu', signal: abort.signal });
    abort.abort();
    return call;
  });
  const line = {
    patches: await patches(videoPath),
    frames: await frames(videoPath),
    aborted: await aborted,
    missing: await refusal(() => api.decodeOnly({ videoPath: `${videoPath}.none` })),
    transferred: await transferred(videoPath),
    cloned: await cloned(videoPath),
  };
  if (mode !== 'few-threads') {
    line.worker = await inWorker(videoPath);
    line.imported = Object.keys(await import('codec-patch-stream')).includes('patchStream');
  }
  if (mode === 'no-index-folder') line.notes = await notesWithFolder(videoPath);
  console.log(JSON.stringify(line));
}

if (isMainThread) {
  main().catch((e) => {
    console.log(JSON.stringify({ code: e.code, message: e.message }));
    process.exitCode = 1;
  });
} else {
  patches(workerData.videoPath).then((text) => parentPort.postMessage(text));
}
