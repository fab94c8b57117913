/**
 * In which order samples of shards come: as videos would, in windows, shared out, and from the middle on.
 *
 * @jest-environment ./test/helpers/one-realm-environment.cjs
 */
import * as fs from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { parseOrder, sampleSource } from '../../adapters/common/videos.js';
import { shardDataset } from '../../adapters/tfjs/index.js';
import type { InputRow, ShardDatasetOptions, ShardEntry } from '../../adapters/tfjs/index.js';
import { folder, INPUT, inputSample, sorted, TOTAL, upTo, write } from '../helpers/shard-sets.js';

let inputs: string;
beforeAll(async () => {
  await tf.setBackend('cpu');
  tf.env().set('IS_TEST', true);
  inputs = write('inputs', inputSample, INPUT);
});

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Indices of the samples of one iteration. */
async function order(
  options: ShardDatasetOptions,
  iterations = 1,
  pattern = inputs,
): Promise<number[][]> {
  const dataset = shardDataset(tf, pattern, options);
  const all = [];
  for (let i = 0; i < iterations; i++) {
    const seen: number[] = [];
    await dataset.forEachAsync(({ xs, ys, meta }) => {
      const rows = meta as InputRow<ShardEntry>[];
      seen.push(...rows.map(({ entry }) => entry['index'] as number));
      expect([...(xs['ids']?.dataSync() ?? [])]).toEqual(rows.map(({ index }) => index));
      tf.dispose([xs, ys ?? []]);
    });
    all.push(seen);
  }
  return all;
}

test('without shuffling as they stand, whatever is read at once', async () => {
  for (const prefetchDepth of [1, 3, 16]) {
    expect(await order({ batchSize: 4, prefetchDepth })).toEqual([upTo(TOTAL)]);
  }
});

test('shuffle: true is the order of as many videos with that seed, in each epoch and pass', async () => {
  const videos = upTo(TOTAL).map((index) => ({ video: `v${index}.mp4` }));
  for (const [seed, repeat] of [
    [0, 1],
    ['text', 2],
  ] as const) {
    const open = sampleSource(videos, parseOrder({ shuffle: true, seed, repeat }));
    const direct: number[][] = [];
    for (let epoch = 0; epoch < 3; epoch++) {
      const source = open();
      const seen = [];
      for (let x = await source.next(); !x.done; x = await source.next()) seen.push(x.value.index);
      direct.push(seen);
    }
    expect(await order({ shuffle: true, seed, repeat }, 3)).toEqual(direct);
  }
});

test('a window: every sample once, shards mixed, reading in few of them at a time', async () => {
  const many = write('many', inputSample, INPUT, new Array<number>(20).fill(10));
  const [first = [], second = []] = await order(
    { shuffle: 15, seed: 4, prefetchDepth: 8 },
    2,
    many,
  );
  expect(await order({ shuffle: 15, seed: 4, prefetchDepth: 1 }, 1, many)).toEqual([first]);
  expect(sorted(first)).toEqual(upTo(200));
  expect(sorted(second)).toEqual(upTo(200));
  expect(second).not.toEqual(first);
  const shards = first.map((index) => Math.floor(index / 10));
  const seen: number[] = [];
  for (const shard of shards) if (!seen.includes(shard)) seen.push(shard);
  expect(seen).not.toEqual(sorted(seen));
  // When the n-th sample comes, no more than 15 behind it can have been drawn from.
  first.forEach((_, n) => {
    expect(new Set(shards.slice(0, n + 1)).size).toBeLessThanOrEqual(Math.ceil((n + 15) / 10) + 1);
  });
  // It is a mix: hardly a neighbour stays one.
  expect(first.filter((index, n) => index === (first[n - 1] ?? 0) + 1).length).toBeLessThan(50);
});

test('workers share the shards out, and refuse where there are too few', async () => {
  for (const shuffle of [false, true, 3]) {
    const shares = await Promise.all(
      upTo(3).map((index) => order({ shuffle, worker: { index, count: 3 } })),
    );
    expect(sorted(shares.flat(2))).toEqual(upTo(TOTAL));
    expect(sorted(shares[0]?.[0] ?? [])).toEqual([...upTo(5), ...upTo(7).map((i) => i + 6)]);
  }
  expect(() => shardDataset(tf, inputs, { worker: { index: 0, count: 6 } })).toThrow(
    /between 1 and 5 for worker.count .*there are 5 shards/,
  );
});

test('from goes on where an epoch was left, and with the epochs behind it', async () => {
  for (const shuffle of [false, true, 4]) {
    const options = { shuffle, seed: 9, repeat: 2 };
    const epochs = await order(options, 4);
    await fc.assert(
      fc.asyncProperty(fc.nat(2), fc.nat(2 * TOTAL - 1), async (epoch, at) => {
        const on = await order({ ...options, from: { epoch, sample: at } }, 2);
        expect(on).toEqual([epochs[epoch]?.slice(at), epochs[epoch + 1]]);
      }),
      { numRuns: 4 },
    );
    const behind = await order({ ...options, from: { epoch: 1, sample: 2 * TOTAL } });
    expect(behind).toEqual([epochs[2]]);
    await expect(order({ ...options, from: { epoch: 1, sample: 2 * TOTAL + 1 } })).rejects.toThrow(
      /between 0 and 34, the samples of an epoch for from.sample/,
    );
  }
});

test('without a manifest samples are counted first', async () => {
  const pattern = `${inputs}/shard-{000000..000004}.tar`;
  expect(await order({ shuffle: true }, 1, pattern)).toEqual(await order({ shuffle: true }));
  expect(shardDataset(tf, pattern).size).toBe(null);
  expect(shardDataset(tf, inputs, { batchSize: 4 }).size).toBe(5);
  expect(shardDataset(tf, inputs, { batchSize: 4, dropRemainder: true, repeat: 2 }).size).toBe(8);
});
