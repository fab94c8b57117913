import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { decodeOnly, nativeStats, patchStream } from '../../src/index.js';
import type { DecodedFrames, PatchStream } from '../../src/index.js';
import { fixturePath, repoRoot } from '../helpers/fixtures.js';
import { expectNoNativeMemory, gc } from '../helpers/native-memory.js';

const VIDEO = fixturePath('h264_bpyramid.mp4');
const CLOSED: unknown = expect.objectContaining({ code: 'ERR_CPS_CLOSED' });

const openStream = (): Promise<PatchStream> => patchStream({ videoPath: VIDEO, kKeep: 128 });
const openFrames = (): Promise<DecodedFrames> =>
  decodeOnly({ videoPath: VIDEO, sequenceLength: 4 });

beforeEach(() => expectNoNativeMemory());

describe('close', () => {
  test('frees at once when nobody looked at the memory', async () => {
    const stream = await openStream();
    const frames = await openFrames();
    const { liveBuffers, liveBytes } = nativeStats();
    expect(liveBuffers).toBe(5); // patches, fields, scores, frame scores; frames
    expect(liveBytes).toBeGreaterThanOrEqual(128 * 3 * 14 * 14 * 2 + 4 * 320 * 240 * 3);
    stream.close();
    expect(nativeStats().liveBuffers).toBe(1);
    frames.close();
    expect(nativeStats()).toMatchObject({ liveBuffers: 0, liveBytes: 0, callsInFlight: 0 });
  });

  test('frees at once what was only copied', async () => {
    const stream = await openStream();
    const frames = await openFrames();
    const { patches, frameScores } = stream;
    const copy = new Uint16Array(patches.length);
    patches.copyTo(copy);
    frameScores.copyTo(new Float32Array(frameScores.length));
    expect(stream.metadata.length).toBe(stream.length);
    expect(stream.positions.shape).toEqual([stream.length, 3]);
    const pixels = new Uint8Array(320 * 240 * 3);
    const frame = frames.frame(2);
    frame.copyTo(pixels);
    [frame, frames, stream].forEach((held) => held.close());
    expect(nativeStats()).toMatchObject({ liveBuffers: 0, liveBytes: 0 });
    const [again, same] = [await openStream(), await openFrames()];
    expect(copy).toEqual(again.patches.data);
    expect(pixels).toEqual(same.frame(2).data);
    [again, same].forEach((held) => held.close());
  });

  test('never frees what JavaScript can still see', async () => {
    const stream = await openStream();
    const data = stream.patches.data;
    const copy = data?.slice();
    stream.close();
    expect(() => stream.patches).toThrow(CLOSED as Error);
    // Other allocations of the same size would take the memory over, were it free.
    const others = await Promise.all([openStream(), openStream(), openStream()]);
    gc();
    expect(data).toEqual(copy);
    others.forEach((other) => other.close());
  });

  test('then the garbage collector frees it', async () => {
    const look = async (): Promise<void> => {
      const stream = await openStream();
      expect(stream.patches.data?.length).toBeGreaterThan(0);
      stream.close();
      expect(nativeStats().liveBuffers).toBe(1);
    };
    await look();
    await expectNoNativeMemory();
  });

  test('a closed result that is still referenced keeps nothing alive, views of it forgotten', async () => {
    const frames = await openFrames();
    const stream = await openStream();
    const look = (): void => {
      expect(frames.frame(1).data?.length).toBe(320 * 240 * 3);
      expect(stream.nextN(2).patches.data?.length).toBeGreaterThan(0);
    };
    look();
    frames.close();
    stream.close();
    await expectNoNativeMemory();
    expect([frames.closed, stream.closed]).toEqual([true, true]);
  });

  test('twice, and by using', async () => {
    const stream = await openStream();
    stream.close();
    stream.close();
    stream[Symbol.dispose]();
    await stream[Symbol.asyncDispose]();
    expect(nativeStats().liveBuffers).toBe(0);
  });

  test('use after close', async () => {
    const frames = await openFrames();
    const { frames: tensor } = frames;
    frames.close();
    expect(() => frames.frame(0)).toThrow(CLOSED as Error);
    expect(() => frames.fps).toThrow(CLOSED as Error);
    expect(() => tensor.data).toThrow(CLOSED as Error);
    await expect(tensor.toHost()).rejects.toEqual(CLOSED);
  });

  test('while a call is under way, and with views alive', async () => {
    const stream = await openStream();
    const pending = openStream();
    const { patches } = stream.nextN(7);
    stream.close();
    const values = patches.data?.slice();
    const other = await pending;
    expect(other.nextN(7).patches.data).toEqual(values);
    other.close();
    patches.close();
  });
});

describe('never closed', () => {
  test('results are collected, looked at or not', async () => {
    // A function of its own, so that none of its variables outlives it.
    const forget = async (i: number): Promise<void> => {
      const stream = await openStream();
      if (i % 2 === 0) stream.nextN(3).patches.data?.fill(1);
      const frames = await openFrames();
      if (i % 3 === 0) expect(frames.frame(1).data?.length).toBe(320 * 240 * 3);
    };
    for (let i = 0; i < 20; i++) await forget(i);
    await expectNoNativeMemory();
  });

  test('results nobody waited for are collected', async () => {
    for (let i = 0; i < 10; i++) void openStream();
    await expectNoNativeMemory(20_000);
  });
});

describe('leaks', () => {
  test('200 calls, good and bad, leave memory where it was', async () => {
    const round = async (i: number): Promise<void> => {
      const stream = await openStream();
      if (i % 2) [...stream].forEach(({ patch }) => patch.close());
      stream.close();
      await decodeOnly({ videoPath: fixturePath('noise.mp4') }).catch(() => undefined);
    };
    for (let i = 0; i < 40; i++) await round(i);
    await expectNoNativeMemory();
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 160; i++) await round(i);
    await expectNoNativeMemory();
    expect(process.memoryUsage().rss - before).toBeLessThan(32 << 20);
  });

  test('threads stay within the budget', async () => {
    await Promise.all(Array.from({ length: 24 }, () => openStream().then((s) => s.close())));
    const { threads } = nativeStats();
    await Promise.all(Array.from({ length: 24 }, () => openStream().then((s) => s.close())));
    expect(nativeStats().threads).toBe(threads);
  });
});

describe('the end of the process', () => {
  // In mid-decode, with streams open: the process ends by itself, quickly and with its own status.
  test.each([
    ['process.exit', 'process.exit(7)', 7],
    ['an uncaught exception', 'throw new Error("on purpose")', 1],
    ['the end of the script', '', 0],
  ])('%s', (_, ending, status) => {
    const script = `
      require(${JSON.stringify(join(repoRoot, 'scripts/require-ts.cjs'))});
      const { patchStream } = require(${JSON.stringify(join(repoRoot, 'src/index.ts'))});
      const call = () => patchStream({ videoPath: ${JSON.stringify(VIDEO)}, kKeep: 64 });
      call().then(async (stream) => {
        globalThis.kept = [stream, stream.patches.data];
        for (let i = 0; i < 4; i++) call().then((s) => globalThis.kept.push(s));
        await new Promise((resolve) => setTimeout(resolve, 5));
        setImmediate(() => { ${ending} });
      });
    `;
    const run = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 30_000 });
    expect(run.signal).toBeNull();
    expect(run.status).toBe(status);
    if (status !== 1) expect(run.stderr).toBe('');
  });
});
