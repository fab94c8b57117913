/** Small data sets of shards: 17 samples in 5 files, each sample a function of its index. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { sample, writeShard } from './shards';
import type { Files, Made } from './shards';

export const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-shards-'));

/** Samples of each shard: one of a single sample, one of none. */
export const COUNTS = [5, 1, 0, 7, 4];
export const TOTAL = 17;
export const K = 4;

export const f32 = (shape: number[], first: number): Made => {
  const length = shape.reduce((product, side) => product * side, 1);
  return { dtype: 'float32', shape, data: Float32Array.from({ length }, (_, i) => first + i) };
};
export const key = (index: number): string => String(index).padStart(8, '0');

export const inputSample = (index: number): Files =>
  sample(
    key(index),
    {
      ids: { dtype: 'int64', shape: [1], data: BigInt64Array.of(BigInt(index)) },
      pixels: f32([1, 2, 3], index),
    },
    {
      ...{ index, path: `v${index}.mp4`, label: index % 3, split: 'train' },
      video: {
        frames: [0, 5],
        seconds: [0, 0.2],
        stepSeconds: [0.1],
        stepTokens: [4],
        size: [2, 3],
        grid: [1, 2, 2],
        tokens: 4,
        notes: '[]',
      },
    },
  );

/** A video with as many patches as its index says, four at most. */
export const countOf = (index: number): number => index % (K + 1);
export const patchSample = (index: number, dtype: 'float32' | 'uint8' = 'float32'): Files => {
  const n = countOf(index);
  const values = f32([n, 2, 2, 3], index);
  const places = Array.from({ length: n }, (_, i) => [0, i >> 1, i & 1]).flat();
  return sample(
    key(index),
    {
      patches:
        dtype === 'float32'
          ? values
          : { ...values, dtype, data: Uint8Array.from(values.data as Float32Array) },
      positions: { dtype: 'int32', shape: [n, 3], data: Int32Array.from(places) },
      scores: f32([n], 0.5),
    },
    {
      index,
      path: `v${index}.mp4`,
      label: [index, 1],
      video: {
        frames: [3],
        seconds: [0.1],
        isI: [true],
        size: [4, 4],
        grid: [1, 2, 2],
        tokens: n,
        notes: '[]',
      },
    },
  );
};

export type Make = (index: number) => Files;
/** Writes shards, with a manifest where its own part is given. */
export function write(name: string, make: Make, manifest?: object, counts = COUNTS): string {
  const out = path.join(folder, name);
  fs.mkdirSync(out);
  let index = 0;
  const shards = counts.map((samples, i) => {
    const file = `shard-${String(i).padStart(6, '0')}.tar`;
    writeShard(
      path.join(out, file),
      Array.from({ length: samples }, () => make(index++)),
    );
    return { file, samples };
  });
  if (manifest) {
    const whole = {
      format: 'codec-patch-stream shards',
      formatVersion: 1,
      layout: 'webdataset',
      shards,
      ...manifest,
    };
    fs.writeFileSync(path.join(out, 'manifest.json'), JSON.stringify(whole));
  }
  return out;
}

export const INPUT = {
  recipe: { kind: 'input', input: {} },
  tensors: { ids: { dtype: 'int64', shape: [1] }, pixels: { dtype: 'float32', shape: [1, 2, 3] } },
};
export const PATCHES = {
  recipe: { kind: 'patches', options: { kKeep: K, patchSize: 2, layout: 'nhwc' } },
  tensors: {
    patches: { dtype: 'float32', shape: [null, 2, 2, 3] },
    positions: { dtype: 'int32', shape: [null, 3] },
    scores: { dtype: 'float32', shape: [null] },
  },
};
export const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
export const sorted = (list: number[]): number[] => [...list].sort((a, b) => a - b);
