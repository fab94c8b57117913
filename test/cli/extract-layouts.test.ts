/** `extract --format`: the folders that the loaders of one model read, of many videos. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import sharp from 'sharp';
import { codecCanvases, modelInputs, presets } from '../../src/inputs/index.js';
import { fixturePath } from '../helpers/fixtures.js';
import { cli, manifestOf, readNpy } from '../helpers/extract.js';
import type { Ran } from '../helpers/extract.js';

let folder: string;
const at = (...names: string[]): string => path.join(folder, ...names);
const extract = (...args: string[]): Ran => cli(['extract', ...args], { cwd: folder });

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-layout-runs-'));
  fs.mkdirSync(at('clips', 'deep'), { recursive: true });
  fs.symlinkSync(fixturePath('h264_bpyramid.mp4'), at('clips', 'a.mp4'));
  fs.symlinkSync(fixturePath('vfr.mp4'), at('clips', 'deep', 'b.mp4'));
});
afterAll(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

const lines = (out: string): Record<string, unknown>[] =>
  fs
    .readFileSync(path.join(out, 'shard-000000.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const integers = (file: string): number[] => {
  const { descr, data } = readNpy(fs.readFileSync(file));
  const bytes = new Uint8Array(data).buffer;
  return descr === '<i8'
    ? Array.from(new BigInt64Array(bytes), Number)
    : Array.from(new Int32Array(bytes));
};

test('onevision: the selected places beside the mirrored path', async () => {
  const out = at('indices');
  const args = ['clips', 'gone.mp4', '--format', 'onevision', '--out', out, '--frames', '16'];
  const ran = extract(...args, '--k-keep', '{frames: 1}', '--max-failures', '1');
  expect([ran.status, ran.stderr]).toEqual([0, '']);
  const files = lines(out).map((line) => line['files']);
  expect(files).toEqual(['clips/a.mp4.visidx.npy', 'clips/deep/b.mp4.visidx.npy']);
  for (const [i, name] of ['clips/a.mp4', 'clips/deep/b.mp4'].entries()) {
    const spec = presets['onevision-encoder-codec'];
    const select = { kKeep: { frames: 1 } };
    using inputs = await modelInputs(at(name), spec, { sample: { count: 16 }, select });
    const expected = Array.from((await inputs.tensors['visible_indices']?.toHost()) ?? [], Number);
    expect(expected).toHaveLength(256);
    expect(integers(path.join(out, String(files[i])))).toEqual(expected.sort((a, b) => a - b));
  }
  expect(manifestOf(out)).toMatchObject({
    ...{ layout: 'onevision', videos: 3, samples: 2, failures: [{ path: 'gone.mp4' }] },
    shards: [{ file: 'shard-000000.jsonl', samples: 2 }],
  });
  const again = extract(...args, '--k-keep', '{frames: 1}', '--max-failures', '1', '--json');
  expect(again.stdout).toMatch(/"event":"shard","shard":0,"samples":2,"reused":true/);
});

test('onevision-mosaics: pictures of the selected patches', async () => {
  const out = at('mosaics');
  const args = ['--format', 'onevision-mosaics', '--frames', '4', '--k-keep', '{frames: 2}'];
  expect(extract('clips/a.mp4', ...args, '--out', out).status).toBe(0);
  const [line] = lines(out);
  const own = path.join(out, String(line?.['files']));
  expect(path.relative(out, own)).toMatch(/^clips\/a__[0-9a-f]{8}$/);
  expect(fs.readdirSync(own).sort()).toEqual([
    ...['frame_ids.npy', 'meta.json', 'mosaic_000.jpg', 'mosaic_001.jpg'],
    ...['positions_thw.npy', 'visible_indices.npy'],
  ]);
  expect(integers(path.join(own, 'frame_ids.npy'))).toEqual([0, 33, 66, 99]);
  const pixels = await sharp(fs.readFileSync(path.join(own, 'mosaic_000.jpg')))
    .raw()
    .toBuffer();
  expect(pixels).toHaveLength(576 * 576 * 3);
});

test('llava-onevision-2: canvases, and where each patch came from', async () => {
  const out = at('canvases');
  const args = ['--format', 'llava-onevision-2', '--canvases', '4', '--damaged', 'nearest'];
  expect(extract('clips/a.mp4', ...args, '--out', out).status).toBe(0);
  const own = path.join(out, String(lines(out)[0]?.['files']));
  using canvases = await codecCanvases(at('clips/a.mp4'), { canvases: 4 });
  const [count = 0] = canvases.canvases.shape;
  const pictures = fs.readdirSync(own).filter((name) => name.endsWith('.jpg'));
  expect(pictures).toHaveLength(count);
  expect(fs.existsSync(path.join(own, '_DONE'))).toBe(true);
  const expected = Array.from(await canvases.positions.toHost());
  expect(integers(path.join(own, 'src_patch_position.npy'))).toEqual(expected);
});

test.each([
  [['--format', 'onevision', '--input', 'videomae'], /indices as 'visible_indices'/],
  [['--format', 'onevision', '--patches'], /no --patches beside --format onevision/],
  [['--format', 'onevision-mosaics', '--dtype', 'fp16'], /type uint8 as 'pixel_values'/],
  [['--format', 'llava-onevision-2', '--input', 'videomae'], /no --input/],
  [['--format', 'llava-onevision-2', '--topk', '9'], /no --k-keep|no --topk/],
  [['--format', 'llava-onevision-2', '--energy', 'blok'], /for --energy but received/],
  [['--format', 'llava-onevision-2', '--canvases', '2'], /between 4 and 4096 for canvases/],
  [['--format', 'llava-onevision-2', '--timeout-ms=-5'], /for --timeout-ms/],
  [['--format', 'onevision', '--energy', 'codec', '--backend', 'gpu'], /for --backend/],
  [['--input', 'videomae', '--canvases', '9'], /--format llava-onevision-2 beside --canvases/],
])('%j is refused', (args, message) => {
  const { status, stderr } = extract('clips', '--out', at('refused'), ...args);
  expect(status).toBe(1);
  expect(stderr).toMatch(message);
  expect(fs.existsSync(at('refused'))).toBe(false);
});
