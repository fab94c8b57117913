/**
 * inputDataset: batches of model inputs in tf.data.
 *
 * @jest-environment ./test/helpers/one-realm-environment.cjs
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { writeClips } from '../../examples/lib/clips.js';
import { inputDataset } from '../../adapters/tfjs/index.js';
import type { InputRow } from '../../adapters/tfjs/index.js';
import { modelInputs } from '../../src/inputs/index.js';
import type { InputSpec } from '../../src/inputs/index.js';
import { fixturePath } from '../helpers/fixtures.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-input-dataset-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
let videos: { video: string; label: number }[];
beforeAll(async () => {
  await tf.setBackend('cpu');
  tf.env().set('IS_TEST', true);
  videos = writeClips(folder, 4, 3, { size: 64, frames: 8 });
});

const rows: InputSpec = {
  sample: { count: 2 },
  size: { exact: [32, 32] },
  normalize: 'clip',
  patch: { size: 8, merge: 2 },
  tensors: {
    rows: { of: 'pixels', axes: '(n f H W a b) (c y x)' },
    grid: { of: 'grid' },
    mask: { of: 'mask', dtype: 'bool' },
  },
};

test('batches are the inputs of their videos one behind the other, each row with its video', async () => {
  const before = tf.memory().numTensors;
  const dataset = inputDataset(tf, videos, rows, { batchSize: 3, numClasses: 4 });
  expect(dataset.size).toBe(2);
  const batches = await dataset.toArray();
  const seen: unknown[] = [];
  for (const { xs, ys, meta } of batches) {
    const found = meta as InputRow<(typeof videos)[0]>[];
    const entries = found.map(({ entry }) => entry);
    using inputs = await modelInputs(
      entries.map(({ video }) => video),
      rows,
    );
    for (const name of ['rows', 'grid', 'mask']) {
      const own = inputs.tensors[name];
      expect(xs[name]?.shape).toEqual(own?.shape);
      expect(Array.from((await xs[name]?.data()) ?? [], Number)).toEqual(
        Array.from((await own?.toHost()) ?? [], Number),
      );
    }
    expect(Object.values(xs).map(({ dtype }) => dtype)).toEqual(['float32', 'int32', 'bool']);
    expect(await ys?.argMax(1).array()).toEqual(entries.map(({ label }) => label));
    expect(found.map(({ grid, frames }) => [grid, frames.length])).toEqual(
      entries.map(() => [[2, 4, 4], 2]),
    );
    seen.push(...found.map(({ index }) => index));
  }
  expect(seen).toEqual([0, 1, 2, 3]);
  tf.dispose(batches.map(({ xs, ys }) => ({ xs, ys: ys ?? [] })));
  tf.disposeVariables();
  expect(tf.memory().numTensors - before).toBeLessThanOrEqual(2); // those of argMax
});

test('after a video that was left out each row is still known; shuffling keeps rows and labels together', async () => {
  const missing = { video: path.join(folder, 'missing.mp4'), label: 9 };
  const entries = [videos[0], missing, videos[1], videos[2]] as typeof videos;
  const options = { batchSize: 2, onError: 'skip', shuffle: true, seed: 5 } as const;
  const batches = await inputDataset(tf, entries, rows, options).toArray();
  const found = batches.flatMap(({ meta }) => meta as InputRow<(typeof videos)[0]>[]);
  expect(found.map(({ index }) => index).sort()).toEqual([0, 2, 3]);
  const labels = batches.map(({ ys }) => [...(ys?.dataSync() ?? [])]);
  expect(labels.flat()).toEqual(found.map(({ index }) => entries[index]?.label));
  tf.dispose(batches.map(({ xs, ys }) => ({ xs, ys: ys ?? [] })));
});

test('what does not fit says which video; wrong options are refused at once', async () => {
  const wide: InputSpec = {
    sample: { count: 2 },
    tensors: { x: { of: 'pixels', axes: 'n f c Y X' } },
  };
  const two = [videos[0]?.video ?? '', fixturePath('h264_bpyramid.mp4')];
  await expect(inputDataset(tf, two, wide, { batchSize: 2 }).toArray()).rejects.toThrow(
    /h264_bpyramid\.mp4.*'x' of \[2, 3, 64, 64\] per row, as before, but received/s,
  );
  expect(() => inputDataset(tf, two, 'vivit')).toThrow(/fromConfig/);
  expect(() => inputDataset(tf, two, 'clip', { batchSise: 2 } as object)).toThrow(/batchSise/);
  expect(() => inputDataset(tf, two, 'clip', { size: { short: 3 } } as object)).toThrow(/size/);
  expect(() => inputDataset(tf, undefined as never, 'clip')).toThrow(/videos/);
});
