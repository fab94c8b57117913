/**
 * DeviceSession on the real addon and the CPU provider of the ONNX Runtime that onnxruntime-node has
 * loaded. What it gives is compared with onnxruntime-node's own sessions.
 *
 * @jest-environment ./test/helpers/one-realm-environment.cjs
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as ort from 'onnxruntime-node';
import { writeClips } from '../../../examples/lib/clips.js';
import type { Clip } from '../../../examples/lib/clips.js';
import { GraphBuilder } from '../../../examples/lib/onnx.js';
import type { OnnxType } from '../../../examples/lib/onnx.js';
import { vitOnnx, vitWeights } from '../../../examples/lib/vit.js';
import { DeviceSession, feeds, feedStream, patchOptions } from '../../../adapters/ort/index.js';
import { patchStream, stack } from '../../../src/index.js';
import { jsMemory, Tensor } from '../../../src/api/tensor.js';
import type { DType } from '../../../src/index.js';
import { longForm } from '../../helpers/long-form.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-session-'));
let clips: Clip[];
beforeAll(() => {
  clips = writeClips(folder, 4, 1, { size: 56, frames: 8 });
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const coded = (code: string) => expect.objectContaining({ code }) as unknown as Error;
const ramp = (n: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(i));
const tensorOf = (data: ArrayBufferView, dtype: DType, shape: readonly number[]) =>
  Tensor.over(jsMemory(data.buffer as ArrayBuffer), dtype, shape);

const CAST = { float32: 1, float16: 10 };

/** x [n, 8] in a type, through two layers in float32 or float16, as y in float32. */
function layers(input: OnnxType, inner: keyof typeof CAST = 'float32', width = 16): Uint8Array {
  const g = new GraphBuilder();
  const to = (name: string) => g.node('Cast', [name], { to: CAST[inner] });
  let x = to(g.input('x', input, ['n', 8]));
  x = g.node('MatMul', [x, to(g.constant(ramp(8 * width), [8, width]))]);
  x = g.node('Softmax', [g.node('Tanh', [x])], { axis: 1 });
  x = g.node('MatMul', [x, to(g.constant(ramp(4 * width), [width, 4]))]);
  g.output(g.node('Cast', [x], { to: 1 }, 'y'), 'float32', ['n', 4]);
  return g.encode();
}

/** What goes in comes out. */
function echo(type: OnnxType, shape: readonly (number | string)[] = ['n']): Uint8Array {
  const g = new GraphBuilder();
  g.output(g.node('Identity', [g.input('x', type, shape)], {}, 'y'), type, shape);
  return g.encode();
}

/** Hundreds of multiplications of [n, n]: the longer the slower. */
function slow(n: number, times: number): Uint8Array {
  const g = new GraphBuilder();
  const weights = g.constant(ramp(n * n), [n, n]);
  let x = g.input('x', 'float32', [n, n]);
  for (let i = 0; i < times; i++) x = g.node('Tanh', [g.node('MatMul', [x, weights])]);
  g.output(g.node('Identity', [x], {}, 'y'), 'float32', [n, n]);
  return g.encode();
}

const bitsOf = (tensor: ort.Tensor | undefined): Buffer => {
  const { buffer, byteOffset, byteLength } = tensor?.data as Float32Array;
  return Buffer.from(buffer, byteOffset, byteLength);
};

describe('the same as onnxruntime-node, bit for bit', () => {
  test.each(['float32', 'float16'] as const)('layers in %s', async (inner) => {
    const model = layers('float32', inner);
    const theirs = await ort.InferenceSession.create(model);
    await using ours = await DeviceSession.create(model);
    const x = new ort.Tensor('float32', ramp(24), [3, 8]);
    const [want, got] = [await theirs.run({ x }), await ours.run({ x })];
    expect(got['y']).toBeInstanceOf(ort.Tensor);
    expect([got['y']?.type, got['y']?.dims]).toEqual(['float32', [3, 4]]);
    expect(bitsOf(got['y']).equals(bitsOf(want['y']))).toBe(true);
    const own = await ours.run({ x: tensorOf(ramp(24), 'float32', [3, 8]) }, { outputs: 'device' });
    expect(own['y']).toBeInstanceOf(Tensor);
    expect(own['y']).toMatchObject({ dtype: 'float32', shape: [3, 4], device: 'cpu' });
    expect(own['y']?.data).toEqual(want['y']?.data);
    expect(Number(own['y']?.handle)).toBeGreaterThan(0);
    own['y']?.close();
  });

  test('a vision transformer on patches, one by one and in batches', async () => {
    const model = vitOnnx(vitWeights(1), { input: 'float16', count: 24 });
    const theirs = await ort.InferenceSession.create(model);
    await using ours = await DeviceSession.create(model, { intraOpNumThreads: 1 });
    const metadata = ({ inputNames, inputMetadata }: typeof theirs | DeviceSession) => [
      inputNames,
      inputMetadata,
    ];
    expect(metadata(ours)).toEqual(metadata(theirs));
    expect(ours.outputMetadata).toEqual(theirs.outputMetadata);
    expect(patchOptions(ours)).toEqual(patchOptions(theirs));
    const options = { sequenceLength: 4, inputSize: 56, backend: 'cpu', batchSize: 2 } as const;
    const results: Buffer[][] = [[], []];
    for await (const { feeds: feed } of feedStream(theirs, clips, options)) {
      results[0]?.push(...Object.values(await theirs.run(feed)).map(bitsOf));
    }
    for await (const batch of feedStream(ours, clips, options)) {
      expect(Object.values(batch.feeds).some((value) => value instanceof Tensor)).toBe(true);
      const run = ours.run(batch.feeds);
      batch.close(); // the run holds what it needs
      results[1]?.push(...Object.values(await run).map(bitsOf));
    }
    expect(results[0]).toHaveLength(2);
    expect(results[1]).toEqual(results[0]);
  });
});

describe('inputs and outputs', () => {
  test('bfloat16, which onnxruntime-node does not take', async () => {
    await using session = await DeviceSession.create(echo('bfloat16', ['k', 3, 14, 14]));
    expect(patchOptions(session)).toMatchObject({ outputDtype: 'bfloat16', patchSize: 14 });
    const small = { sequenceLength: 4, inputSize: 56, backend: 'cpu', kKeep: 16 } as const;
    const videoPath = clips[0]?.video ?? '';
    const stream = await patchStream({ ...small, videoPath, ...patchOptions(session) });
    const feed = await feeds(session, stream);
    const x = feed['x'] as Tensor;
    expect([x.dtype, x.handle]).toEqual(['bfloat16', stream.patches.handle]); // no copy
    const { y } = await session.run(feed, { outputs: 'device' });
    expect(y?.data).toEqual(stream.patches.data);
    const onHost = await session.run(feed);
    expect(onHost['y']?.data).toEqual(await stream.patches.toFloat32());
    const wrong = await patchStream({ ...small, videoPath, outputDtype: 'fp32' });
    await expect(feeds(session, wrong)).rejects.toThrow(/outputDtype: 'bf16'/);
    const theirs = { inputNames: ['x'], inputMetadata: session.inputMetadata };
    await expect(feeds(theirs, stream)).rejects.toThrow(/a DeviceSession takes bfloat16/);
    for (const each of [x, y, stream, wrong]) each?.close();
  });

  test.each([
    ['uint8', Uint8Array.of(0, 255)],
    ['bool', Uint8Array.of(1, 0)],
    ['int32', Int32Array.of(-1, 7)],
    ['int64', BigInt64Array.of(-(2n ** 62n), 5n)],
    ['float16', Uint16Array.of(0x3c00, 0x7bff)],
    ['float32', Float32Array.of(-0, 1.5)],
  ] as const)('%s, from and to both kinds of tensors', async (type, data) => {
    await using session = await DeviceSession.create(echo(type));
    const theirs = await session.run({ x: new ort.Tensor(type, data as never, [2]) });
    expect(theirs['y']?.type).toBe(type);
    expect(bitsOf(theirs['y'])).toEqual(Buffer.from(data.buffer));
    const ours = await session.run({ x: tensorOf(data, type, [2]) }, { outputs: 'device' });
    expect([ours['y']?.dtype, ours['y']?.data]).toEqual([type, data]);
  });

  test('scalars and tensors without elements', async () => {
    await using scalar = await DeviceSession.create(echo('float32', []));
    const one = await scalar.run({ x: tensorOf(Float32Array.of(3), 'float32', []) });
    expect([one['y']?.dims, one['y']?.data]).toEqual([[], Float32Array.of(3)]);
    await using list = await DeviceSession.create(echo('float32', ['n', 2]));
    const none = await list.run({ x: new ort.Tensor('float32', new Float32Array(), [0, 2]) });
    expect([none['y']?.dims, none['y']?.data.length]).toEqual([[0, 2], 0]);
  });

  test("JavaScript's memory may change while the run is on its way", async () => {
    await using session = await DeviceSession.create(echo('float32'));
    const data = Float32Array.of(1, 2);
    const run = session.run({ x: new ort.Tensor('float32', data, [2]) });
    data.fill(9);
    structuredClone(data.buffer, { transfer: [data.buffer] });
    expect((await run)['y']?.data).toEqual(Float32Array.of(1, 2));
  });

  test('outputs of one model are the inputs of the next; views share their memory', async () => {
    await using first = await DeviceSession.create(layers('float32'), { outputs: 'device' });
    await using second = await DeviceSession.create(echo('float32', ['n', 2]));
    const { y } = await first.run({ x: tensorOf(ramp(16), 'float32', [2, 8]) });
    const half = y?.view(1, 1).reshape([2, 2]);
    y?.close();
    const result = await second.run({ x: half as Tensor });
    expect(result['y']?.data).toEqual(half?.data);
    half?.close();
  });

  test("a tensor of the mapping is the caller's: it goes into every batch of patches", async () => {
    const g = new GraphBuilder();
    const shapes = { patches: ['k', 3, 14, 14], prompt: [2], made: [1] };
    for (const [name, shape] of Object.entries(shapes)) {
      g.output(
        g.node('Identity', [g.input(name, 'float32', shape)], {}, `${name}_out`),
        'float32',
        shape,
      );
    }
    await using session = await DeviceSession.create(g.encode());
    let released = 0;
    const counted = (...values: number[]): Tensor => {
      const memory = jsMemory(Float32Array.from(values).buffer);
      const release = (): void => void released++;
      return Tensor.over({ ...memory, release }, 'float32', [values.length]);
    };
    const prompt = counted(3, 4);
    const mapping = { prompt, made: () => counted(5) };
    const config = { sequenceLength: 4, inputSize: 56, backend: 'cpu', kKeep: 16 } as const;
    const videos = clips.map(({ video }) => video);
    for await (const batch of feedStream(session, videos, { ...config, mapping })) {
      const run = session.run(batch.feeds);
      batch.close();
      expect((await run)['prompt_out']?.data).toEqual(Float32Array.of(3, 4));
    }
    expect([prompt.closed, released]).toEqual([false, videos.length]); // those that were made
    const failing = { prompt, made: () => Promise.reject(new Error('no tensor')) };
    const patches = patchOptions(session, mapping);
    using stream = await patchStream({ ...config, ...patches, videoPath: videos[0] ?? '' });
    await expect(feeds(session, stream, failing)).rejects.toThrow('no tensor');
    expect(prompt.data).toEqual(Float32Array.of(3, 4));
    prompt.close();
    expect(released).toBe(videos.length + 1); // nothing of the error holds it
  });

  test('what does not fit is said in words', async () => {
    await using session = await DeviceSession.create(layers('float32'));
    const x = tensorOf(ramp(8), 'float32', [1, 8]);
    const run = (feed: object) => session.run(feed as never);
    await expect(run({ z: x })).rejects.toThrow(/inputs x for feeds but received 'z'/);
    await expect(run({})).rejects.toThrow(/a tensor for feeds.x/);
    await expect(run({ x: [1] })).rejects.toThrow(/a tensor in host memory or of this package/);
    await expect(run({ x: tensorOf(new Int32Array(8), 'int32', [1, 8]) })).rejects.toThrow(
      /a float32 tensor, the model's type, for feeds.x but received 'int32'/,
    );
    await expect(run({ x: tensorOf(ramp(6), 'float32', [1, 6]) })).rejects.toThrow(
      coded('ERR_CPS_INVALID_ARGUMENT'),
    );
    await expect(session.run({ x }, { outputs: 'gpu' as never })).rejects.toThrow(/for outputs/);
    x.close();
    await expect(run({ x })).rejects.toThrow(coded('ERR_CPS_CLOSED'));
  });
});

describe('models that do not open', () => {
  test('nonsense, a missing file, a missing provider, wrong options', async () => {
    const open = (model: unknown, options: object = {}) =>
      DeviceSession.create(model as string, options);
    const text = path.join(folder, 'text.onnx');
    fs.writeFileSync(text, 'this is no model');
    await expect(open(text)).rejects.toThrow(coded('ERR_CPS_CORRUPT'));
    await expect(open(Uint8Array.of(1, 2, 3))).rejects.toThrow(/<model, 3 bytes>/);
    await expect(open(new Uint8Array())).rejects.toThrow(/ERR_CPS|model/);
    const cut = layers('float32');
    await expect(open(cut.subarray(0, cut.length / 2))).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_CPS_/) as string,
    });
    await expect(open(path.join(folder, 'none.onnx'))).rejects.toThrow(coded('ERR_CPS_NOT_FOUND'));
    for (const name of ['cuda', 'tensorrt']) {
      await expect(open(cut, { executionProviders: [name] })).rejects.toMatchObject({
        code: 'ERR_CPS_BACKEND_UNAVAILABLE',
        message: expect.stringMatching(`'${name}'[^]*onnxruntime-node's install script`) as string,
      });
    }
    await expect(open(cut, { executionProviders: ['webgpu'] })).rejects.toThrow(/cuda, tensorrt/);
    await expect(open(cut, { providers: [] })).rejects.toThrow(/keys executionProviders/);
    await expect(open(cut, { deviceId: -1 })).rejects.toThrow(/for deviceId/);
    await expect(open(cut, { providerOptions: { cuda: {} } })).rejects.toThrow(/options of cpu/);
    await expect(open(42)).rejects.toThrow(/for model/);
    await expect(open(cut, { library: text })).rejects.toThrow(/import onnxruntime-node/);
    await expect(open(cut, { library: '/lib/x86_64-linux-gnu/libc.so.6' })).rejects.toThrow(
      /no OrtGetApiBase|not loaded/,
    );
    await (await open(new URL(`file://${writeModel('fine.onnx', cut)}`))).close();
  });
});

function writeModel(name: string, model: Uint8Array): string {
  const file = path.join(folder, name);
  fs.writeFileSync(file, model);
  return file;
}

describe('stack', () => {
  test('on the host: padding in both axes, views, memory of JavaScript', async () => {
    const a = tensorOf(ramp(6), 'float32', [3, 2]);
    const own = await stack([a], {}); // memory of the addon
    expect(own.shape).toEqual([1, 3, 2]);
    const parts = [a, own.at(0).view(1, 1)];
    const result = await stack(parts, { padTo: 4, count: 3 });
    expect([result.dtype, result.shape]).toEqual(['float32', [3, 4, 2]]);
    const want = new Float32Array(24);
    want.set(ramp(6));
    want.set(ramp(6).subarray(2, 4), 8);
    expect(result.data).toEqual(want);
    const pair = await stack([a, a]);
    expect([pair.shape, pair.data]).toEqual([[2, 3, 2], Float32Array.of(...ramp(6), ...ramp(6))]);
    for (const each of [own, result, pair]) each.close();
  });

  test('what does not fit is refused', async () => {
    const a = tensorOf(ramp(6), 'float32', [3, 2]);
    await expect(stack([])).rejects.toThrow(/at least one tensor/);
    await expect(stack([a, a.view(0, 1)])).rejects.toThrow(/one shape, \[3, 2\]/);
    await expect(stack([a, a.reshape([2, 3])], { padTo: 3 })).rejects.toThrow(/behind the first/);
    await expect(stack([a], { padTo: 2 })).rejects.toThrow(/>= 3 for padTo/);
    await expect(stack([a, a], { count: 1 })).rejects.toThrow(/for count/);
    const bytes = tensorOf(new Uint8Array(6), 'uint8', [3, 2]);
    await expect(stack([a, bytes])).rejects.toThrow(/all float32 on cpu.*uint8/);
  });
});

describe('life', () => {
  test('abort: 100 runs at random moments; the session goes on', async () => {
    const model = slow(128, 120);
    await using session = await DeviceSession.create(model, { intraOpNumThreads: 1 });
    const x = tensorOf(ramp(128 * 128), 'float32', [128, 128]);
    const want = (await session.run({ x }))['y']?.data;
    const ends = { aborted: 0, done: 0 };
    for (let i = 0; i < 100; i++) {
      const controller = new AbortController();
      const run = session.run({ x }, { signal: controller.signal });
      if (i % 10 === 0) controller.abort(new Error('mine'));
      else setTimeout(() => controller.abort(), (i % 10) - 1);
      const end = await run.then(
        (result) => (expect(result['y']?.data).toEqual(want), 'done' as const),
        (error: Error) => (expect(error.name).toBe('AbortError'), 'aborted' as const),
      );
      ends[end]++;
    }
    expect(ends.aborted).toBeGreaterThan(10);
    const before = AbortSignal.abort(new Error('before'));
    await expect(session.run({ x }, { signal: before })).rejects.toMatchObject({
      name: 'AbortError',
      cause: expect.objectContaining({ message: 'before' }) as Error,
    });
    expect((await session.run({ x }))['y']?.data).toEqual(want);
  });

  test('an abort stops a long run early', async () => {
    await using session = await DeviceSession.create(slow(256, 300), { intraOpNumThreads: 1 });
    const x = tensorOf(ramp(256 * 256), 'float32', [256, 256]);
    let started = performance.now();
    await session.run({ x });
    const whole = performance.now() - started;
    const controller = new AbortController();
    started = performance.now();
    const run = session.run({ x }, { signal: controller.signal });
    setTimeout(() => controller.abort(), whole / 10);
    await expect(run).rejects.toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' });
    expect(performance.now() - started).toBeLessThan(whole * 0.7);
  });

  test('release waits for runs, at random moments, and ends the session', async () => {
    const model = slow(64, 40);
    const x = tensorOf(ramp(64 * 64), 'float32', [64, 64]);
    for (let i = 0; i < 12; i++) {
      const session = await DeviceSession.create(model, { intraOpNumThreads: 1 });
      const order: string[] = [];
      const runs = [0, 1].map(() => session.run({ x }).then(() => order.push('run')));
      await new Promise((resolve) => setTimeout(resolve, i % 4));
      const released = session.release().then(() => order.push('released'));
      await expect(session.run({ x })).rejects.toThrow(coded('ERR_CPS_CLOSED'));
      await Promise.all([...runs, released, session.close()]);
      expect(order).toEqual(['run', 'run', 'released']);
      expect(session.inputNames).toEqual(['x']);
    }
  });

  const child = (scenario: string): unknown => {
    const models = {
      slow: slow(512, 100),
      slower: slow(512, 240),
      slowest: slow(512, 960),
      long: slow(512, 400),
      small: layers('float32'),
    };
    for (const [name, model] of Object.entries(models)) writeModel(`${name}.onnx`, model);
    const script = path.join(__dirname, '../../helpers/device-session-child.cjs');
    const out = execFileSync(process.execPath, ['--expose-gc', script, scenario, folder], {
      encoding: 'utf8',
    });
    return JSON.parse(out.trim().split('\n').at(-1) ?? '');
  };

  // Beside other tests it tries again and again: .ci/run.
  (longForm ? test : test.skip)(
    'the event loop stays free: blocked 5 % of what an InferenceSession does at most',
    () => {
      const { theirs, ours, run } = child('eventLoop') as Record<string, number>;
      expect(theirs).toBeGreaterThan(300); // the model is slow enough to tell
      expect(run).toBeGreaterThan(100);
      expect(ours).toBeLessThanOrEqual((theirs ?? 0) * 0.05);
    },
  );

  test('1,000 runs without growth; what is dropped is collected', () => {
    const { grownMB, live, sessions } = child('growth') as Record<string, number>;
    expect(grownMB).toBeLessThan(8);
    expect({ live, sessions }).toEqual({ live: 0, sessions: 0 });
  });

  test('worker threads: results, an end in mid-run; the process exits in mid-run', () => {
    expect(child('workers')).toEqual({ same: true, exit: 1, after: true });
    expect(child('exit')).toEqual({ exiting: true });
  });
});
