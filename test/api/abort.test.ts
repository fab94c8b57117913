import { AbortError, decodeOnly, patchStream } from '../../src/index.js';
import type { DecodeConfig, DecodedFrames, PatchStream } from '../../src/index.js';
import { native } from '../../src/native/binding.js';
import { fixturePath } from '../helpers/fixtures.js';
import { expectNoNativeMemory } from '../helpers/native-memory.js';

const VIDEO = fixturePath('h264_long_gop.mp4');
const OPTIONS = { videoPath: VIDEO, sequenceLength: 64, readerCacheSize: 0 };

/** An AbortSignal that counts its listeners. */
function countingSignal() {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--;
    remove(...args);
  };
  return { controller, signal, listeners: () => listeners };
}

const caught = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

type Call = (config: DecodeConfig) => Promise<SampledResult>;
type SampledResult = DecodedFrames | PatchStream;

describe.each<[string, Call]>([
  ['patchStream', patchStream],
  ['decodeOnly', decodeOnly],
])('%s', (_, api) => {
  afterEach(() => expectNoNativeMemory());

  test('before: no native call is made', async () => {
    const create = jest.spyOn(native(), 'createCancel');
    const reason = new Error('changed my mind');
    const error = await caught(api({ ...OPTIONS, signal: AbortSignal.abort(reason) }));
    expect(error).toBeInstanceOf(AbortError);
    expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: reason });
    expect(create).not.toHaveBeenCalled();
    create.mockRestore();
  });

  test('during: rejects soon, long before the work would be done', async () => {
    const whole = performance.now();
    (await api(OPTIONS)).close();
    const wholeMs = performance.now() - whole;

    const { controller, signal, listeners } = countingSignal();
    const promise = caught(api({ ...OPTIONS, signal }));
    expect(listeners()).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, wholeMs / 5));
    const aborted = performance.now();
    controller.abort('stop');
    const error = await promise;
    const stopMs = performance.now() - aborted;
    expect(error).toMatchObject({ name: 'AbortError', cause: 'stop' });
    expect(stopMs).toBeLessThan(Math.max(50, wholeMs / 2));
    expect(listeners()).toBe(0);
  });

  test('after: nothing happens, the listener is gone', async () => {
    const { controller, signal, listeners } = countingSignal();
    const result = await api({ ...OPTIONS, signal });
    expect(listeners()).toBe(0);
    controller.abort();
    expect(result.sampledFrameIds).toHaveLength(64);
    result.close();
  });

  test('a failing call removes its listener', async () => {
    const { signal, listeners } = countingSignal();
    await caught(api({ videoPath: '/none.mp4', signal }));
    expect(listeners()).toBe(0);
  });

  test('at 60 random moments: a result or an AbortError, and the next call works', async () => {
    const started = performance.now();
    const reference = await api({ ...OPTIONS, sequenceLength: 8 });
    const span = performance.now() - started;
    const ids = reference.sampledFrameIds;
    reference.close();
    let aborts = 0;
    for (let i = 0; i < 60; i++) {
      const controller = new AbortController();
      const { signal } = controller;
      // Spread over the whole call; a fixed sequence, so that a failure can be repeated.
      const timer = setTimeout(() => controller.abort(), span * ((i * 0.618034) % 1.2));
      const outcome = await api({ ...OPTIONS, sequenceLength: 8, signal }).catch((e: unknown) => e);
      clearTimeout(timer);
      if (outcome instanceof AbortError) aborts++;
      else {
        const result = outcome as Awaited<ReturnType<typeof api>>;
        expect(result.sampledFrameIds).toEqual(ids);
        result.close();
      }
    }
    expect(aborts).toBeGreaterThan(5);
    const after = await api({ ...OPTIONS, sequenceLength: 8 });
    expect(after.sampledFrameIds).toEqual(ids);
    after.close();
  });

  test('one signal for 60 calls: one listener, no warning, and all of them hear it', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    const { controller, signal, listeners } = countingSignal();
    const batch = (options: typeof OPTIONS) =>
      Array.from({ length: 60 }, () => caught(api({ ...options, signal }).then((r) => r.close())));
    await Promise.all(batch({ ...OPTIONS, sequenceLength: 1, readerCacheSize: 8 }));
    expect(listeners()).toBe(0);
    const calls = batch(OPTIONS);
    expect(listeners()).toBe(1);
    controller.abort();
    for (const error of await Promise.all(calls)) expect(error).toBeInstanceOf(AbortError);
    expect(listeners()).toBe(0);
    // Warnings are emitted on the next tick.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });

  test('one of many: the others finish', async () => {
    const controllers = Array.from({ length: 8 }, () => new AbortController());
    const calls = controllers.map(({ signal }) =>
      caught(api({ ...OPTIONS, signal }).then((r) => r.close())),
    );
    controllers[3]?.abort();
    const errors = await Promise.all(calls);
    expect(errors.map((error) => error instanceof AbortError)).toEqual(
      controllers.map((__, i) => i === 3),
    );
    expect(errors.filter((error) => error !== undefined)).toHaveLength(1);
  });
});

test('timeoutMs stops a call with a message that names it', async () => {
  await expect(decodeOnly({ ...OPTIONS, timeoutMs: 1 })).rejects.toMatchObject({
    name: 'CodecPatchStreamError',
    message: expect.stringContaining('timeoutMs') as string,
  });
  await expectNoNativeMemory();
});
