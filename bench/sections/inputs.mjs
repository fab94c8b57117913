/** 7. Model inputs: what tensors cost beside decoding, a model that is fed, transformers in Python. */
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as os from 'node:os';
import * as path from 'node:path';
import { root, run as runCommand } from '../../scripts/lib/shell.mjs';
import { cacheDir, ensureClip } from '../lib/clips.mjs';
import { digits, ms, range, times } from '../lib/format.mjs';
import { interleave, ratio, summary } from '../lib/measure.mjs';
import { Server } from '../lib/server.mjs';
import { sampledIds } from '../lib/subjects.mjs';

export const title = 'Model inputs';

const VIDEOS = 10;
const FRAMES = 16;
/** decodeOnly of what VideoMAE's tensor is made of. */
const SAME_SIZE = { size: { short: 224, crop: 224 }, resample: 'bilinear' };

/** A model of as many milliseconds as asked, of one thread: products of matrices of 512 × 512. */
function modelOf(products) {
  const require = createRequire(import.meta.url);
  const { GraphBuilder } = require(path.join(root, 'build', 'examples', 'lib', 'onnx.js'));
  const side = 512;
  const g = new GraphBuilder();
  const x = g.input('pixel_values', 'float32', ['n', 'f', 3, 224, 224]);
  const values = Float32Array.from({ length: side * side }, (_, i) => Math.sin(i) / side);
  const weights = g.constant(values, [side, side]);
  const axes = g.ints(0, 1, 2, 3, 4);
  let y = g.node('Add', [weights, g.node('ReduceSum', [x, axes], { keepdims: 0 })]);
  for (let i = 0; i < products; i++) y = g.node('Tanh', [g.node('MatMul', [y, weights])]);
  g.node('ReduceSum', [y, g.ints(0, 1)], { keepdims: 0 }, 'output');
  g.output('output', 'float32', []);
  return g.encode();
}

const stream = (what, config) =>
  new Server(process.execPath, [
    path.join(root, 'bench', 'lib', 'model-stream.mjs'),
    what,
    JSON.stringify(config),
  ]);

/** Begins all at once and waits for each: their times. */
async function together(whats, config) {
  const servers = whats.map((what) => stream(what, config));
  for (const server of servers) await server.ready;
  const replies = await Promise.all(servers.map((server) => server.ask('go')));
  for (const server of servers) await server.close();
  return replies.map((reply) => reply.ms);
}

/** Ten videos through inputStream into a model that costs as much as decoding, against the two apart. */
async function fedModel(file, rounds) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-bench-'));
  const model = path.join(folder, 'model.onnx');
  const config = { model, videos: new Array(VIDEOS).fill(file) };
  let products = 8;
  fs.writeFileSync(model, modelOf(products));
  const [decode] = await together(['decode'], config);
  // The model is made to take as long as decoding does.
  for (let i = 0; i < 3; i++) {
    const [taken] = await together(['run'], config);
    if (Math.abs(taken / decode - 1) < 0.05) break;
    products = Math.max(1, Math.round((products * decode) / taken));
    fs.writeFileSync(model, modelOf(products));
  }
  const samples = [];
  for (let i = 0; i < rounds; i++) {
    const [decodeMs, runMs] = await together(['decode', 'run'], config);
    const [bothMs] = await together(['both'], config);
    samples.push({ decodeMs, runMs, bothMs, ratio: bothMs / Math.max(decodeMs, runMs) });
  }
  fs.rmSync(folder, { recursive: true });
  const of = (key) => summary(samples.map((one) => one[key]));
  return { decode: of('decodeMs'), run: of('runMs'), both: of('bothMs'), ratio: of('ratio') };
}

/** transformers in Python, where it can be imported. */
async function openPeer(file, threads) {
  const own = path.join(cacheDir, 'peers', 'py', 'bin', 'python');
  const python = process.env.CPS_BENCH_PYTHON ?? (fs.existsSync(own) ? own : 'python3');
  const script = path.join(root, 'bench', 'peers', 'transformers_peer.py');
  const peer = new Server(python, [script, file, `${threads}`]);
  const hello = await peer.ready.catch((error) => ({ absent: error.message }));
  return { peer, hello };
}

export async function run({ clips, threads, subject, rounds, quick }) {
  const { clip, frames = FRAMES } = clips.inputs;
  const file = await ensureClip(clip);
  const ids = sampledIds(clips.inputs.total, frames);
  const sample = { indices: ids };
  const inputs = (preset) => () =>
    subject.ask({
      ...{ what: 'inputs', video: file, preset },
      options: { sample, readerCacheSize: 0, backend: 'cpu', classDefaults: true },
    });
  const videomae = await interleave(
    {
      inputs: inputs('videomae'),
      sameSize: subject.call('decodeOnly', file, undefined, { sample, ...SAME_SIZE }),
    },
    rounds,
  );
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  await runCommand(process.execPath, [tsc, '-p', path.join(root, 'tsconfig.examples.json')]);
  const fed = await fedModel(file, quick ? 3 : 5);

  const { peer, hello } = await openPeer(file, threads);
  const rows = [];
  for (const preset of hello.presets ?? []) {
    const results = await interleave(
      { ours: inputs(preset), theirs: () => peer.ask(JSON.stringify({ preset, ids })) },
      { ...rounds, budgetMs: quick ? 4_000 : 8_000 },
    );
    const [ours, theirs] = [results.ours.last?.shapes, results.theirs.last?.shapes];
    const shapes = JSON.stringify(Object.values(ours ?? {})[0]);
    const same = shapes === JSON.stringify(Object.values(theirs ?? {})[0]);
    rows.push({ preset, results, same, speed: ratio(results, 'theirs', 'ours') });
  }
  await peer.close().catch(() => {});
  const aside = hello.absent === undefined ? hello.versions : { absent: hello.absent };
  return {
    ...{ clip: clip.name, frames, videomae, fed, rows, aside },
    overDecoding: ratio(videomae, 'inputs', 'sameSize'),
  };
}

const geometricMean = (values) =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
const speeds = ({ rows }) =>
  rows.flatMap(({ speed, same }) => (speed && same ? [speed.median] : []));

export function tables(data) {
  const { videomae, fed, rows, aside, clip, frames, overDecoding } = data;
  const each = speeds(data);
  const mean = each.length > 0 ? ` Geometric mean ${digits(geometricMean(each), 2)}.` : '';
  const versions = Object.entries(aside ?? {}).map(([name, version]) => `${name} ${version}`);
  return [
    {
      title: 'Model inputs',
      note:
        `${clip}, ${frames} frames. inputs: modelInputs for VideoMAE, float32; same size: decodeOnly of the same ` +
        `frames to 224×224. Then ${VIDEOS} videos with one decoding thread and a model of one thread that costs ` +
        'as much: each in a process of its own at the same time, and inputStream feeding the model.',
      head: [
        ...['inputs ms', 'same size ms', 'ratio', 'decode ms', 'model ms', 'fed ms', 'fed/slower'],
      ],
      rows: [
        [
          ms(videomae.inputs),
          ms(videomae.sameSize),
          range(overDecoding),
          digits(fed.decode.median),
          digits(fed.run.median),
          digits(fed.both.median),
          range(fed.ratio),
        ],
      ],
    },
    {
      title: 'Model inputs, transformers in Python',
      note:
        `The same frames of ${clip} to the tensors of the class's own configuration: torchcodec and the processor, ` +
        `against modelInputs. ${versions.join(', ')}.${mean}`,
      head: [
        'preset',
        'ours ms',
        'Python ms',
        'of it the processor',
        'ours CPU ms',
        'Python CPU ms',
        'times as fast',
      ],
      rows: rows.map(({ preset, results: { ours, theirs }, speed, same }) => [
        same ? preset : `${preset} (other shapes)`,
        ours.error ?? ms(ours),
        theirs.error ?? ms(theirs),
        digits(theirs.last?.processMs ?? 0),
        digits(ours.cpuMs?.median ?? 0),
        digits(theirs.cpuMs?.median ?? 0),
        speed ? times(speed) : '',
      ]),
    },
  ];
}

export function checks(data) {
  const { overDecoding, fed } = data;
  const all = [
    ['modelInputs VideoMAE / decodeOnly to the same size', 1.05, overDecoding?.median, true],
    ['fed model / slower of the two side by side', 1.15, fed.ratio.median, true],
  ];
  const each = speeds(data);
  if (each.length > 0) {
    all.push(['transformers / modelInputs, geometric mean', 1.5, geometricMean(each), false]);
    all.push(['transformers / modelInputs, least', 1.1, Math.min(...each), false]);
  }
  return all
    .filter(([, , value]) => value !== undefined)
    .map(([what, bound, value, below]) => ({
      ...{ what: below ? what : `${what} (at least)`, bound, value },
      ok: below ? value <= bound : value >= bound,
    }));
}
