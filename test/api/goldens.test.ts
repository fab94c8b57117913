/**
 * energy 'reference' against what the original package selects. The large set lies beside the
 * project where there is one; test/reference-cases holds the part that travels with it.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { patchStream } from '../../src/index.js';
import type { PatchStreamConfig } from '../../src/index.js';
import { repoRoot } from '../helpers/fixtures.js';

interface GoldenCase {
  readonly name: string;
  readonly video: string;
  readonly config: Partial<PatchStreamConfig>;
  readonly sampledFrameIds: number[];
  readonly fps: number;
  readonly durationSec: number;
  readonly isI: number[];
  readonly shape: [number, number, number, number];
  readonly perFrameCount: number[];
  readonly patches?: boolean;
  readonly minIou: number;
}

const shared = [resolve(repoRoot, '../shared'), resolve(repoRoot, '../../shared')].find((folder) =>
  existsSync(join(folder, 'goldens/cases.json')),
);

function readArray<A>(file: string, make: (buffer: ArrayBuffer) => A): A {
  const bytes = readFileSync(file);
  return make(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

function psnr(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < actual.length; i++) sum += ((actual[i] ?? 0) - (expected[i] ?? 0)) ** 2;
  return sum === 0 ? Infinity : 10 * Math.log10((255 * 255 * actual.length) / sum);
}

async function compare(golden: GoldenCase, folder: string, videos: string): Promise<void> {
  const file = (kind: string): string => join(folder, `${golden.name}.${kind}`);
  const indices = readArray(file('indices.i32'), (b) => new Int32Array(b));
  const means = readArray(file('means.f32'), (b) => new Float32Array(b));
  const stream = await patchStream({
    ...golden.config,
    videoPath: join(videos, golden.video),
    energy: 'reference',
    colorMatrix: 'bt601',
    backend: 'cpu',
  });
  expect(stream.sampledFrameIds).toEqual(golden.sampledFrameIds);
  expect(stream.patches.shape).toEqual(golden.shape);
  expect(stream.isI.flatMap((flag, t) => (flag ? [t] : []))).toEqual(golden.isI);
  // The original reports the container's nominal rate, which a variable one has nothing to do with:
  // there ours is the rate that the timestamps have.
  if (golden.video !== 'vfr.mkv') expect(stream.fps).toBeCloseTo(golden.fps, 3);
  expect(stream.durationSec).toBeCloseTo(golden.durationSec, 2);

  const perFrame = stream.grid.h * stream.grid.w;
  const outsideI = (index: number): boolean => !golden.isI.includes(Math.floor(index / perFrame));
  const ours = new Map(stream.metadata.map((m, i) => [m.patchLinearIdx, i]));
  const wanted = [...indices].filter(outsideI);
  const got = [...ours.keys()].filter(outsideI);
  // PyTorch's top-k takes any of several patches that tie exactly at the cut, ours the lowest index:
  // a patch of the golden whose score equals the cut is one of those, not a difference.
  const all = stream.frameScores.data ?? new Float32Array();
  const cut = got.reduce((low, index) => Math.min(low, all[index] ?? 0), Infinity);
  const theirTies = wanted.filter((index) => !ours.has(index) && all[index] === cut).length;
  const chosen = new Set(wanted);
  const ourTies = got.filter((index) => !chosen.has(index) && all[index] === cut).length;
  const kept = wanted.filter((index) => ours.has(index)).length;
  const common = kept + Math.min(theirTies, ourTies);
  const union = wanted.length + got.length - common;
  const iou = union === 0 ? 1 : common / union;
  expect(iou).toBeGreaterThanOrEqual(golden.minIou);

  const values = await stream.patches.toFloat32();
  const size = values.length / stream.length;
  const theirs = existsSync(file('patches.f32'))
    ? readArray(file('patches.f32'), (b) => new Float32Array(b))
    : undefined;
  for (const [i, index] of indices.entries()) {
    const at = ours.get(index);
    if (at === undefined) continue;
    const patch = values.subarray(at * size, (at + 1) * size);
    const mean = patch.reduce((sum, v) => sum + v, 0) / size;
    if (Math.abs(mean - (means[i] ?? NaN)) > 1) {
      throw new Error(`mean of patch ${index}: ${mean}, expected ${means[i]}`);
    }
    if (theirs) {
      const db = psnr(patch, theirs.subarray(i * size, (i + 1) * size));
      if (db < 45) throw new Error(`patch ${index}: ${db} dB`);
    }
  }
  stream.close();
}

if (shared !== undefined) {
  const folder = join(shared, 'goldens');
  const cases = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')) as GoldenCase[];
  test.each(cases.map((golden) => [golden.name, golden] as const))('%s', (_, golden) =>
    compare(golden, folder, join(shared, 'videos')),
  );
} else {
  test.todo('the goldens of the original package are not beside this checkout');
}
