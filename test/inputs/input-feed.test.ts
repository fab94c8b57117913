/**
 * feedStream of model inputs: the same as modelInputs and feeds one by one, made while the model runs.
 *
 * @jest-environment ./test/helpers/one-realm-environment.cjs
 */
import * as path from 'node:path';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as ort from 'onnxruntime-node';
import { writeClips } from '../../examples/lib/clips.js';
import { GraphBuilder } from '../../examples/lib/onnx.js';
import type { OnnxType } from '../../examples/lib/onnx.js';
import { DeviceSession, feeds, feedStream } from '../../adapters/ort/index.js';
import type { DeviceFeeds, Feeds } from '../../adapters/ort/index.js';
import { defineInput, modelInputs } from '../../src/inputs/index.js';
import { nativeStats, Tensor } from '../../src/index.js';
import { jsMemory } from '../../src/api/tensor.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-feed-'));
const clips = writeClips(folder, 4, 3, { size: 64, frames: 24 }).map(({ video }) => video);
const missing = path.join(folder, 'missing.mp4');
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const input = defineInput({
  sample: { count: 3 },
  size: { exact: [16, 16] },
  normalize: 'signed',
  tensors: { pixel_values: { of: 'pixels', axes: 'n f c Y X' } },
});

/** A model that hands its inputs back, and one that adds a value for each video. */
function echo(
  type: OnnxType = 'float32',
  more: readonly string[] = [],
  batch: number | string = 'n',
): Uint8Array {
  const g = new GraphBuilder();
  const shape = [batch, 3, 3, 16, 16];
  for (const name of ['pixel_values', ...more]) {
    const [own, sides] = name === 'pixel_values' ? [type, shape] : (['int64', ['m']] as const);
    g.input(name, own, sides);
    g.node('Identity', [name], {}, `${name}_out`);
    g.output(`${name}_out`, own, sides);
  }
  return g.encode();
}

const sessionOf = (model: Uint8Array) =>
  ort.InferenceSession.create(model, { intraOpNumThreads: 1 });

async function valuesOf(video: string): Promise<number[]> {
  using inputs = await modelInputs(video, input);
  return Array.from((await inputs.tensors['pixel_values']?.toHost()) ?? [], Number);
}

async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

test('an InferenceSession is fed what modelInputs and feeds give, in order and in batches', async () => {
  const session = await sessionOf(echo());
  const entries = clips.map((video, label) => ({ video, label }));
  const seen: [number[], number[]][] = [];
  for await (const { feeds: fed, videos } of feedStream(session, entries, {
    input,
    batchSize: 3,
  })) {
    const typed: Feeds = fed;
    const { pixel_values_out: out } = await session.run(typed);
    seen.push([videos.map(({ entry, index }) => 10 * entry.label + index), [...(out?.dims ?? [])]]);
    const each = 3 * 3 * 16 * 16;
    for (const [i, { entry }] of videos.entries()) {
      const rows = Array.from(out?.data as Float32Array).slice(i * each, (i + 1) * each);
      expect(rows).toEqual(await valuesOf(entry.video));
    }
  }
  expect(seen).toEqual([
    [
      [0, 11, 22],
      [3, 3, 3, 16, 16],
    ],
    [[33], [1, 3, 3, 16, 16]],
  ]);
});

test('a fixed batch is filled up, names and extra tensors go into the mapping, windows are fed, too', async () => {
  const session = await sessionOf(echo('float16', ['ids'], 2));
  const mapping = {
    ids: ({ videos }: { videos: readonly unknown[] }) =>
      new ort.Tensor('int64', BigInt64Array.of(BigInt(videos.length)), [1]),
  };
  const spans: number[] = [];
  const windows = { frames: 8, hop: 8 } as const;
  const options = { input, mapping, windows, sample: { count: 3 } } as const;
  for await (const { feeds: fed, videos } of feedStream(session, clips.slice(0, 1), options)) {
    const { pixel_values_out: out, ids_out: ids } = await session.run(fed);
    expect(out?.dims).toEqual([2, 3, 3, 16, 16]);
    expect([out?.type, Number(ids?.data[0])]).toEqual(['float16', 1]);
    spans.push(videos[0]?.window?.from ?? -1);
  }
  expect(spans).toEqual([0, 8, 16]);
});

test('the next batch is made while the model runs: nobody has to ask for it', async () => {
  const session = await sessionOf(echo('float32', ['ids']));
  let calls = 0;
  let second: () => void = () => undefined;
  const made = new Promise<void>((resolve) => (second = resolve));
  const ids = () => {
    if (++calls === 2) second();
    return new ort.Tensor('int64', BigInt64Array.of(0n), [1]);
  };
  const stream = feedStream(session, clips, { input, mapping: { ids } });
  await stream.next();
  await made; // hangs where a batch waits to be asked for
  expect(calls).toBe(2);
  await settled();
  expect(calls).toBe(2); // one ahead, no more
  await stream.return?.();
});

test('a DeviceSession takes the tensors as they are, bfloat16 too; close() frees them', async () => {
  const before = nativeStats().liveBuffers;
  for (const dtype of ['float32', 'bfloat16'] as const) {
    const own = defineInput({
      ...input,
      tensors: { pixel_values: { of: 'pixels', axes: 'n f c Y X', dtype } },
    });
    await using session = await DeviceSession.create(echo(dtype));
    let count = 0;
    for await (const batch of feedStream(session, clips, { input: own, batchSize: 2 })) {
      const fed: DeviceFeeds = batch.feeds;
      const pixels = fed['pixel_values'];
      expect(pixels).toBeInstanceOf(Tensor);
      const { pixel_values_out: out } = await session.run(fed);
      using expected = await modelInputs(clips.slice(count, count + 2), own);
      const wanted = await expected.tensors['pixel_values']?.toFloat32();
      expect(out?.data).toEqual(wanted);
      count += 2;
      batch.close();
      batch.close();
      expect((pixels as Tensor).closed).toBe(true);
    }
    expect(count).toBe(4);
    // One by one, too.
    using inputs = await modelInputs(clips[0] as string, own);
    const one = await feeds(session, inputs);
    expect(one['pixel_values']).toBeInstanceOf(Tensor);
    for (const tensor of Object.values(one)) (tensor as Tensor).close();
  }
  await settled();
  // The outputs that were looked at are in memory of ONNX Runtime's tensors.
  expect(nativeStats().liveBuffers).toBeLessThanOrEqual(before + 4);
});

test("a tensor of the mapping is the caller's: it goes into every batch", async () => {
  await using session = await DeviceSession.create(echo('float32', ['ids', 'made']));
  const int64 = (...values: bigint[]) =>
    Tensor.over(jsMemory(BigInt64Array.from(values).buffer), 'int64', [values.length]);
  const ids = int64(5n, 6n);
  const given: Tensor[] = [];
  const made = ({ videos }: { videos: readonly unknown[] }): Tensor => {
    given.push(int64(BigInt((videos[0] as { index: number }).index)));
    return given.at(-1) as Tensor;
  };
  const seen: unknown[] = [];
  for await (const batch of feedStream(session, clips, { input, mapping: { ids, made } })) {
    const run = session.run(batch.feeds);
    batch.close();
    const out = await run;
    seen.push([...(out['ids_out']?.data ?? []), ...(out['made_out']?.data ?? [])]);
  }
  expect(seen).toEqual([0n, 1n, 2n, 3n].map((index) => [5n, 6n, index]));
  expect([ids.closed, ...given.map(({ closed }) => closed)]).toEqual([
    false,
    ...clips.map(() => true),
  ]);
  // An error leaves it open, too.
  const failing = (): never => {
    throw new Error('no tensor');
  };
  using inputs = await modelInputs(clips[0] as string, input);
  const mapping = { ids, made: failing };
  await expect(feeds(session, inputs, mapping)).rejects.toThrow('no tensor');
  expect(ids.data).toEqual(BigInt64Array.of(5n, 6n));
});

test('a batch is given when its videos are there, whenever further ones come', async () => {
  const session = await sessionOf(echo());
  let used: () => void = () => undefined;
  async function* oneByOne() {
    for (const video of clips.slice(0, 3)) {
      const done = new Promise<void>((resolve) => (used = resolve));
      yield video;
      await done; // of the loop below: hangs where it does not get the batch before
    }
  }
  const seen: number[] = [];
  for await (const { videos } of feedStream(session, oneByOne(), { input })) {
    seen.push(videos[0]?.index ?? -1);
    used();
  }
  expect(seen).toEqual([0, 1, 2]);
});

test('onError, leaving the loop and the signal: nothing goes on, nothing stays', async () => {
  const session = await DeviceSession.create(echo());
  const before = nativeStats().liveBuffers;
  const failed: unknown[] = [];
  const videos = [clips[0] as string, missing, clips[1] as string];
  const onError = (error: unknown, entry: unknown, index: number) =>
    void failed.push([entry, index]);
  let count = 0;
  for await (const batch of feedStream(session, videos, { input, onError })) {
    count += batch.videos.length;
    batch.close();
  }
  expect([count, failed]).toEqual([2, [[missing, 1]]]);
  await expect(feedStream(session, [missing], { input }).next()).rejects.toThrow(/missing\.mp4/);
  for await (const batch of feedStream(session, clips, { input })) {
    batch.close();
    break;
  }
  const abort = new AbortController();
  const stream = feedStream(session, clips, { input, signal: abort.signal });
  const first = await stream.next();
  if (!first.done) first.value.close();
  abort.abort();
  const outcome = stream.next().then(async ({ value }) => {
    value?.close(); // made before the abort
    return stream.next();
  });
  await expect(outcome).rejects.toMatchObject({ name: 'AbortError' });
  expect(await stream.next()).toEqual({ done: true, value: undefined });
  while (nativeStats().liveBuffers > before) await settled();
  await session.release();
});

test('what does not fit is said in words, before or as the first batch is asked for', async () => {
  const session = await sessionOf(echo());
  expect(() => feedStream(session, clips, { input: 'videomea' as never })).toThrow(/'videomae'/);
  expect(() => feedStream(session, clips, { input, kKeep: 4 } as never)).toThrow(/kKeep/);
  expect(() => feedStream(session, 5 as never, { input })).toThrow(/for videos/);
  expect(() => feedStream(session, clips, 5 as never)).toThrow(/object for options/);
  const wide = defineInput({ ...input, size: { exact: [32, 32] } });
  const stream = feedStream(session, clips, { input: wide });
  await expect(stream.next()).rejects.toThrow(/float32\[n, 3, 3, 16, 16\] but 'pixel_values' is/);
  expect((await stream.next()).done).toBe(true);
});
