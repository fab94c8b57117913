/**
 * Shards in the adapters: what an element is, and what is said of bad samples.
 *
 * @jest-environment ./test/helpers/one-realm-environment.cjs
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import * as ort from 'onnxruntime-node';
import { shardFeeds, DeviceSession } from '../../adapters/ort/index.js';
import type { FedSample } from '../../adapters/ort/index.js';
import { shardDataset } from '../../adapters/tfjs/index.js';
import type { InputRow, ShardEntry } from '../../adapters/tfjs/index.js';
import { GraphBuilder } from '../../examples/lib/onnx.js';
import type { OnnxType } from '../../examples/lib/onnx.js';
import { sample, writeShard } from '../helpers/shards.js';
import type { Made } from '../helpers/shards.js';
import {
  countOf,
  f32,
  folder,
  INPUT,
  inputSample,
  K,
  key,
  PATCHES,
  patchSample,
  TOTAL,
  upTo,
  write,
} from '../helpers/shard-sets.js';
import type { Make } from '../helpers/shard-sets.js';

let inputs: string;
let patches: string;
beforeAll(async () => {
  await tf.setBackend('cpu');
  tf.env().set('IS_TEST', true);
  inputs = write('inputs', inputSample, INPUT);
  patches = write('patches', (index) => patchSample(index), PATCHES);
});

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

describe('elements', () => {
  test('of inputs: tensors joined, labels and facts out of KEY.json', async () => {
    const before = tf.memory().numTensors;
    const [batch] = await shardDataset(tf, inputs, { batchSize: 3, numClasses: 3 })
      .take(1)
      .toArray();
    const { xs, ys, ...rest } = batch as NonNullable<typeof batch>;
    const meta = rest.meta as InputRow<ShardEntry>[];
    expect(Object.keys(xs).sort()).toEqual(['ids', 'pixels']);
    expect([xs['ids']?.dtype, xs['pixels']?.shape]).toEqual(['int32', [3, 2, 3]]);
    expect([...((await xs['pixels']?.data()) ?? [])]).toEqual(
      [0, 1, 2].flatMap((i) => upTo(6).map((j) => i + j)),
    );
    expect(await ys?.array()).toEqual([
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ]);
    expect(meta[1]).toMatchObject({
      entry: { video: 'v1.mp4', label: 1, split: 'train', key: '00000001' },
      index: 1,
      frames: [
        { id: 0, seconds: 0 },
        { id: 5, seconds: 0.2 },
      ],
      steps: [{ seconds: 0.1, tokens: 4 }],
      ...{ size: [2, 3], grid: [1, 2, 2], tokens: 4, notes: [] },
    });
    tf.dispose([xs, ys ?? []]);
    expect(tf.memory().numTensors).toBe(before);
  });

  test.each(['float32', 'uint8'] as const)(
    'of patches, %s: clips with zeros behind them',
    async (dtype) => {
      const out =
        dtype === 'float32' ? patches : write('bytes', (index) => patchSample(index, dtype));
      const options = {
        kind: 'patches',
        batchSize: 6,
        ...(dtype === 'uint8' && { kKeep: K }),
      } as const;
      const dataset = shardDataset(tf, out, options);
      expect(dataset.inputShapes).toEqual(
        dtype === 'uint8' ? undefined : { patches: [K, 2, 2, 3], positions: [K, 3], mask: [K] },
      );
      let index = 0;
      await dataset.forEachAsync(({ xs, ys }) => {
        const rows = xs.mask.shape[0];
        expect(xs.patches.shape).toEqual([rows, K, 2, 2, 3]);
        const [values, masks, places] = [
          xs.patches.arraySync(),
          xs.mask.arraySync(),
          xs.positions.arraySync(),
        ];
        for (let row = 0; row < rows; row++, index++) {
          const n = countOf(index);
          const expected = upTo(K * 12).map((i) => (i < n * 12 ? index + i : 0));
          expect((values[row] as number[][][][]).flat(3)).toEqual(expected);
          expect(masks[row]).toEqual(upTo(K).map((i) => Number(i < n)));
          expect(places[row]).toEqual(upTo(K).map((i) => (i < n ? [0, i >> 1, i & 1] : [0, 0, 0])));
          expect(ys?.arraySync()[row]).toEqual([index, 1]);
        }
        tf.dispose([xs, ys ?? []]);
      });
      expect(index).toBe(TOTAL);
    },
  );

  test('of patches one by one, and select', async () => {
    const dataset = shardDataset(tf, patches, { kind: 'patches', unit: 'patch', batchSize: 5 });
    let count = 0;
    await dataset.forEachAsync(({ xs, ys }) => {
      count += xs.shape[0];
      expect(xs.shape.slice(1)).toEqual([2, 2, 3]);
      tf.dispose([xs, ys ?? []]);
    });
    expect(count).toBe(upTo(TOTAL).reduce((sum, index) => sum + countOf(index), 0));
    const select = ({ mask }: { mask: tf.Tensor2D }): tf.Tensor => mask.sum();
    const [one] = await shardDataset(tf, patches, {
      kind: 'patches',
      batchSize: TOTAL,
      select,
    }).toArray();
    expect((one?.xs as tf.Tensor).dataSync()[0]).toBe(count);
    tf.dispose(one as object as tf.TensorContainer);
  });
});

/** A model that hands its inputs back. */
function echo(
  model: Record<string, readonly [OnnxType, readonly (number | string)[]]>,
): Uint8Array {
  const g = new GraphBuilder();
  for (const [name, [type, shape]] of Object.entries(model)) {
    g.input(name, type, shape);
    g.node('Identity', [name], {}, `${name}_out`);
    g.output(`${name}_out`, type, shape);
  }
  return g.encode();
}

describe('feeds', () => {
  const VIT = {
    patches: ['float16', ['b', K, 2, 2, 3]],
    positions: ['int64', ['b', K, 3]],
    mask: ['bool', ['b', K]],
    indices: ['int32', ['b', K]],
    scores: ['float32', ['b', K]],
  } as const;

  test.each(['InferenceSession', 'DeviceSession'] as const)(
    'of patches for an %s',
    async (kind) => {
      const file = path.join(folder, `${kind}.onnx`);
      fs.writeFileSync(file, echo(VIT));
      const session =
        kind === 'InferenceSession'
          ? await ort.InferenceSession.create(file)
          : await DeviceSession.create(file);
      const seen: FedSample[] = [];
      for await (const batch of shardFeeds(session as ort.InferenceSession, patches, {
        kind: 'patches',
        batchSize: 4,
      })) {
        const { feeds, videos } = batch;
        const out = await session.run(feeds);
        const [b, at] = [videos.length, seen.length];
        const flags = videos.flatMap(({ length }) => upTo(K).map((i) => Number(i < length)));
        expect(out['patches_out']?.dims).toEqual([b, K, 2, 2, 3]);
        expect([...(out['mask_out']?.data as Uint8Array)]).toEqual(flags);
        expect([...(out['indices_out']?.data as Int32Array)]).toEqual(
          flags.map((flag, i) => flag && i % K),
        );
        expect([...(out['scores_out']?.data as Float32Array)]).toEqual(
          flags.map((flag, i) => flag && 0.5 + (i % K)),
        );
        // 1.5 in float16 is 0x3e00; index + i stays below 2048, which float16 has exactly.
        const half = (v: number): number =>
          v === 0
            ? 0
            : ((15 + Math.floor(Math.log2(v))) << 10) |
              ((v / 2 ** Math.floor(Math.log2(v)) - 1) * 1024);
        const values = videos.flatMap(({ length }, row) =>
          upTo(K * 12).map((i) => (i < length * 12 ? half(at + row + i) : 0)),
        );
        expect([
          ...new Uint16Array(
            (out['patches_out']?.data as Uint16Array).buffer,
            (out['patches_out']?.data as Uint16Array).byteOffset,
            values.length,
          ),
        ]).toEqual(values);
        batch.close();
        seen.push(...videos);
      }
      expect(seen.map(({ entry }) => entry.video)).toEqual(upTo(TOTAL).map((i) => `v${i}.mp4`));
      expect(seen[2]).toMatchObject({
        length: 2,
        grid: { t: 1, h: 2, w: 2 },
        sampledFrameIds: [3],
        index: 2,
        secondsFromStart: Float64Array.of(0.1),
      });
      await session.release();
    },
  );

  test.each([
    [
      [2, 2, 2, 3],
      /takes 2 patches but the sample has \d; extract the shards again with --topk 2 /,
    ],
    [[K, 3, 2, 2], /are \[2, 2, 3\]; extract the shards again with --layout nchw$/],
    [[K, 4, 4, 3], /extract the shards again with the --patch-size of the model /],
  ])('a model of %j is told how to extract for it', async (sides, message) => {
    const session = await ort.InferenceSession.create(
      echo({ patches: ['float32', ['b', ...sides]] }),
    );
    const first = async (): Promise<void> => {
      for await (const batch of shardFeeds(session, patches, { kind: 'patches', batchSize: 4 })) {
        batch.close();
      }
    };
    await expect(first()).rejects.toThrow(message);
    await session.release();
  });

  test('of inputs, by name, in the type that the model declares, a fixed batch filled up', async () => {
    const session = await ort.InferenceSession.create(
      echo({ x: ['float32', [4, 2, 3]], ids: ['int32', ['b']] }),
    );
    const sizes: number[] = [];
    for await (const { feeds, videos } of shardFeeds(session, inputs, {
      batchSize: 4,
      mapping: { x: 'pixels' },
    })) {
      const out = await session.run(feeds);
      expect([...(out['ids_out']?.data as Int32Array)]).toEqual(videos.map(({ index }) => index));
      const values = videos.flatMap(({ index }) => upTo(6).map((i) => index + i));
      expect([...(out['x_out']?.data as Float32Array)]).toEqual([
        ...values,
        ...new Array<number>(24 - values.length).fill(0),
      ]);
      sizes.push(videos.length);
    }
    expect(sizes).toEqual([4, 4, 4, 4, 1]);
    expect(() => shardFeeds(session, inputs, { mapping: {}, label: 5 } as object)).toThrow(
      /for label but received/,
    );
  });
});

describe('bad samples', () => {
  const ids = (list: readonly { meta: unknown }[]): number[] =>
    list.flatMap(({ meta }) => (meta as InputRow<ShardEntry>[]).map(({ index }) => index));

  test('one that is cut off is told once with file and key, and the others come', async () => {
    const out = write('cut', inputSample, INPUT);
    const file = path.join(out, 'shard-000003.tar');
    const data = fs.readFileSync(file);
    const at = data.indexOf('(1, 2, 3)', data.indexOf('00000008.pixels.npy'));
    data.write('(1, 2, 4)', at, 'latin1');
    fs.writeFileSync(file, data);
    const told: string[] = [];
    const dataset = shardDataset(tf, out, {
      onError: (error, { index }) =>
        void told.push(`${index} ${(error as { code?: string }).code} ${error.message}`),
    });
    const all = await dataset.toArray();
    expect(ids(all)).toEqual(upTo(TOTAL).filter((index) => index !== 8));
    expect(told).toEqual([
      expect.stringMatching(
        /^8 ERR_CPS_CORRUPT .*shard-000003.tar: 00000008.pixels.npy: 24 bytes/,
      ) as string,
    ]);
    tf.dispose(all.map(({ xs, ys }) => [xs, ys ?? []]));
    const iterator = await shardDataset(tf, out).iterator();
    const errors: unknown[] = [];
    const seen: unknown[] = [];
    for (;;) {
      const next = await iterator.next().catch((error: unknown) => void errors.push(error));
      if (next?.done) break;
      if (next) seen.push(next.value);
    }
    expect([seen.length, errors.length]).toEqual([TOTAL - 1, 1]);
    tf.dispose(seen as never);
  });

  test('a shard that is cut off: its samples are errors, not fewer samples', async () => {
    const out = write('short', inputSample, INPUT);
    const file = path.join(out, 'shard-000000.tar');
    fs.truncateSync(file, 8192);
    const all = await shardDataset(tf, out, { onError: 'skip' }).toArray();
    expect(ids(all)).toEqual(upTo(TOTAL).slice(5));
    tf.dispose(all.map(({ xs, ys }) => [xs, ys ?? []]));
    // One whole sample less, properly ended: the manifest knows better.
    writeShard(file, upTo(4).map(inputSample));
    await expect(shardDataset(tf, out).toArray()).rejects.toMatchObject({
      ...{
        code: 'ERR_CPS_CORRUPT',
        message: expect.stringMatching(/Expected 5 samples but it has 4/) as string,
      },
    });
  });

  test.each([
    ['another shape', { pixels: f32([1, 3, 2], 0) }],
    ['another type', { pixels: { dtype: 'uint8', shape: [1, 2, 3], data: new Uint8Array(6) } }],
    ['another name', { pictures: f32([1, 2, 3], 0) }],
    ['one more', { pixels: f32([1, 2, 3], 0), more: f32([1], 0) }],
  ] as [string, Record<string, Made>][])(
    '%s than the others, with and without a manifest',
    async (name, tensors) => {
      const one: Made = { dtype: 'int64', shape: [1], data: BigInt64Array.of(3n) };
      const make: Make = (index) =>
        index === 3 ? sample(key(index), { ids: one, ...tensors }, { index }) : inputSample(index);
      const out = write(`other ${name}`, make, INPUT);
      for (const pattern of [out, `${out}/*.tar`]) {
        const error = await shardDataset(tf, pattern, { batchSize: 8, label: () => 0 })
          .toArray()
          .catch((e: unknown) => e);
        expect(error).toMatchObject({
          ...{ code: 'ERR_CPS_CORRUPT', index: 3 },
          message: expect.stringMatching(/shard-000000.tar: 00000003: .*, as in /) as string,
        });
      }
    },
  );

  test('patches that are none', async () => {
    const [good] = [{ dtype: 'int32', shape: [2, 3], data: new Int32Array(6) } as Made];
    const cases: [string, Record<string, Made>, RegExp][] = [
      [
        'five',
        {
          patches: f32([5, 2, 2, 3], 0),
          positions: { ...good, shape: [5, 3], data: new Int32Array(15) },
        },
        /at most 4 patches but it has 5/,
      ],
      [
        'places',
        { patches: f32([1, 2, 2, 3], 0), positions: good },
        /int32 \[1, 3\] for positions/,
      ],
      [
        'no colours',
        { patches: f32([2, 2, 2, 2], 0), positions: good },
        /patches of float32 \[2, 2, 2, 2\]/,
      ],
      ['no patches', { pixels: f32([2, 2, 2, 3], 0), positions: good }, /it has pixels, positions/],
    ];
    for (const [name, tensors, message] of cases) {
      const out = write(`no ${name}`, (index) => sample(key(index), tensors, { index }));
      const reading = shardDataset(tf, out, { kind: 'patches', kKeep: K }).toArray();
      await expect(reading).rejects.toMatchObject({
        code: 'ERR_CPS_CORRUPT',
        message: expect.stringMatching(message) as string,
      });
    }
  });

  test('options that contradict the shards, or are none', () => {
    const wrong =
      (options: object, pattern = inputs): (() => unknown) =>
      () =>
        shardDataset(tf, pattern, options);
    expect(wrong({}, patches)).toThrow(
      /Expected 'patches', which the manifest of these shards says for kind/,
    );
    expect(wrong({ kind: 'patches' })).toThrow(/Expected 'input'/);
    expect(wrong({ kind: 'frames' })).toThrow(/'input' or 'patches' for kind/);
    expect(wrong({ sequenceLength: 4 })).toThrow(
      /no value for sequenceLength .*takes label, numClasses, kind/,
    );
    expect(wrong({ shard: { index: 0, count: 2 } })).toThrow(/for shard but received/);
    expect(wrong({ kind: 'patches' }, `${patches}/*.tar`)).toThrow(
      /integer: no manifest says it.* for kKeep/,
    );
    for (const [name, value] of [
      ['worker', 5],
      ['from', 5],
      ['from', { epoch: -1 }],
      ['shuffle', 0],
      ['seed', {}],
    ]) {
      expect(wrong({ [name as string]: value })).toThrow(
        expect.objectContaining({ code: 'ERR_CPS_INVALID_ARGUMENT' }) as Error,
      );
    }
    expect(() => shardDataset(tf, inputs, null as never)).toThrow(/object for options/);
  });

  test('an abort ends it, and leaving a loop reads nothing on', async () => {
    const controller = new AbortController();
    const iterator = await shardDataset(tf, inputs, { signal: controller.signal }).iterator();
    tf.dispose((await iterator.next()).value as tf.TensorContainer);
    controller.abort();
    await expect(iterator.next()).rejects.toMatchObject({ name: 'AbortError' });
    expect((await iterator.next()).done).toBe(true);
    const open = (): number => fs.readdirSync('/proc/self/fd').length;
    const before = open();
    const session = await ort.InferenceSession.create(echo({ ids: ['int64', ['b']] }));
    for await (const { videos } of shardFeeds(session, inputs, { prefetchDepth: 8 })) {
      if (videos[0]?.index === 2) break;
    }
    // Files that nobody reads are closed after a while.
    while (open() > before) await new Promise((resolve) => setTimeout(resolve, 20));
  });
});
