/** Files that the loaders of OneVision-Encoder and LLaVA-OneVision-2 read. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import sharp from 'sharp';
import { codecCanvases, modelInputs } from '../../src/inputs/index.js';
import { npy } from '../../packages/cli/src/layouts/npy.js';
import { writeCanvases } from '../../packages/cli/src/layouts/llava-onevision-2.js';
import {
  assetFolder,
  CODEC_ASSETS,
  visidxName,
  writeCodecAssets,
  writeVisibleIndices,
} from '../../packages/cli/src/layouts/onevision-encoder.js';

const video = path.join(__dirname, '../../assets/sample.mp4');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-layouts-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Reads a .npy file by its format's text (numpy.lib.format, version 1.0). */
function read(file: string): { descr: string; shape: number[]; values: number[] } {
  const bytes = fs.readFileSync(file);
  expect([...bytes.subarray(0, 8)]).toEqual([0x93, 78, 85, 77, 80, 89, 1, 0]);
  const length = bytes.readUInt16LE(8);
  expect((10 + length) % 64).toBe(0);
  const header = bytes.toString('latin1', 10, 10 + length);
  const match = /^\{'descr': '(.*?)', 'fortran_order': False, 'shape': \((.*?)\), \} *\n$/.exec(
    header,
  );
  const [, descr = '', sides = ''] = match ?? [];
  const shape = sides
    .split(',')
    .filter((side) => side.trim() !== '')
    .map(Number);
  const data = new Uint8Array(bytes.subarray(10 + length)).buffer;
  const values =
    descr === '<i8'
      ? Array.from(new BigInt64Array(data), Number)
      : Array.from(descr === '<i4' ? new Int32Array(data) : new Float32Array(data));
  return { descr, shape, values };
}

const raw = (file: string): Promise<Buffer> => sharp(fs.readFileSync(file)).raw().toBuffer();

test('npy: types, shapes, elements', () => {
  const file = path.join(folder, 'a.npy');
  fs.writeFileSync(file, npy(Int32Array.of(1, -2, 3), 'int32', [3]));
  expect(read(file)).toEqual({ descr: '<i4', shape: [3], values: [1, -2, 3] });
  fs.writeFileSync(file, npy(Float32Array.of(0.5, 1, 2, 3).subarray(1), 'float32', [3, 1]));
  expect(read(file)).toEqual({ descr: '<f4', shape: [3, 1], values: [1, 2, 3] });
});

test('.visidx.npy: the selected places, ascending', async () => {
  const sample = { count: 16, place: 'linspace' } as const;
  const select = { kKeep: { frames: 1 } } as const;
  using inputs = await modelInputs(video, 'onevision-encoder-codec', { sample, select });
  const file = path.join(folder, visidxName('a/../clip.mp4').replace(/\W/g, '_'));
  await writeVisibleIndices(file, inputs);
  const indices = Array.from((await inputs.tensors['visible_indices']?.toHost()) ?? [], Number);
  const { descr, shape, values } = read(file);
  expect([descr, shape]).toEqual(['<i4', [indices.length]]);
  expect(values).toEqual([...indices].sort((a, b) => a - b));
  expect(Math.max(...values)).toBeLessThan(64 * 256);
});

test('codec assets: mosaics, positions, indices and frames belong together', async () => {
  const own = path.join(folder, assetFolder('clip', 'x/clip.mp4'));
  expect(path.basename(own)).toMatch(/^clip__[0-9a-f]{8}$/);
  const small = { ...CODEC_ASSETS, sample: { count: 8, place: 'linspace' } as const };
  using inputs = await modelInputs(video, small, { select: { kKeep: { frames: 2 } } });
  await writeCodecAssets(own, inputs);
  const [positions, indices] = ['positions_thw', 'visible_indices'].map((name) =>
    read(path.join(own, `${name}.npy`)),
  );
  expect([positions?.descr, positions?.shape]).toEqual(['<i4', [2592, 3]]);
  expect([indices?.descr, indices?.shape]).toEqual(['<i8', [2592]]);
  indices?.values.forEach((index, i) => {
    const [t = 0, row = 0, column = 0] = positions?.values.slice(3 * i, 3 * i + 3) ?? [];
    if (index !== t * 1296 + row * 36 + column) throw new Error(`patch ${i}`);
  });
  const ids = inputs.videos[0]?.frames.map(({ id }) => id);
  expect(read(path.join(own, 'frame_ids.npy')).values).toEqual(ids);
  const meta = JSON.parse(fs.readFileSync(path.join(own, 'meta.json'), 'utf8')) as {
    mosaics: string[];
  };
  expect(meta.mosaics).toEqual(['mosaic_000.jpg', 'mosaic_001.jpg']);
  const data = await raw(path.join(own, 'mosaic_001.jpg'));
  expect(data).toHaveLength(576 * 576 * 3);
  const pixels = (await inputs.tensors['pixel_values']?.toHost()) as Uint8Array;
  const size = 576 * 576 * 3;
  const off = data.reduce((sum, v, i) => sum + Math.abs(v - (pixels[size + i] as number)), 0);
  expect(off / size).toBeLessThan(4); // JPEG at 95
});

test('canvases: pictures, positions, names, and _DONE at last', async () => {
  using canvases = await codecCanvases(video, {
    ...{ canvases: 4, canvasesPerGroup: 2, groupFrames: 5, maxPixels: 30_000 },
  });
  const own = path.join(folder, 'canvases');
  fs.mkdirSync(own);
  for (const old of ['_DONE', 'canvas_009.png', 'other.txt'])
    fs.writeFileSync(path.join(own, old), '');
  await writeCanvases(own, canvases, { format: 'png' });
  const names = fs.readdirSync(own).sort();
  const count = canvases.canvases.shape[0] as number;
  const pictures = Array.from({ length: count }, (_, i) => `canvas_00${i}.png`);
  expect(names).toEqual(
    [
      '_DONE',
      'frame_ids.npy',
      'meta.json',
      'other.txt',
      'src_patch_position.npy',
      ...pictures,
    ].sort(),
  );
  const [, height, width] = canvases.canvases.shape;
  const bytes = await canvases.canvases.toHost();
  for (const [i, name] of pictures.entries()) {
    const data = await raw(path.join(own, name));
    expect(data).toHaveLength(3 * (height as number) * (width as number));
    expect(data.equals(bytes.subarray(i * data.length, (i + 1) * data.length))).toBe(true);
  }
  const positions = read(path.join(own, 'src_patch_position.npy'));
  expect(positions.shape).toEqual(canvases.positions.shape);
  expect(positions.values).toEqual([...(await canvases.positions.toHost())]);
  expect(read(path.join(own, 'frame_ids.npy')).values).toEqual(canvases.frameIds);
  const meta = JSON.parse(fs.readFileSync(path.join(own, 'meta.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  expect(meta).toMatchObject({ fps: canvases.fps, canvas_files: pictures, patch: 14 });
});
