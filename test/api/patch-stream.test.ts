import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { pathToFileURL } from 'node:url';
import { native } from '../../src/native/binding.js';
import {
  CHANNEL_NAME,
  decodeOnly,
  FIELD_NAMES,
  patchStream,
  PatchStream,
} from '../../src/index.js';
import type { CallReport, PatchStreamConfig } from '../../src/index.js';
import { parsePatchStream } from '../../src/options/records.js';
import { fakePatchResult } from '../helpers/fake-native.js';
import { fixturePath } from '../helpers/fixtures.js';
import { sampledIds } from '../helpers/ffmpeg.js';

const CLOSED: unknown = expect.objectContaining({ code: 'ERR_CPS_CLOSED' });
const BPYRAMID = fixturePath('h264_bpyramid.mp4');

function fakeStream(k: number, options: Partial<PatchStreamConfig> = {}) {
  const config = { videoPath: 'x', patchSize: 2, outputDtype: 'fp32', ...options } as const;
  const result = fakePatchResult(k, 2);
  return {
    result,
    stream: new PatchStream(result, parsePatchStream(config).records.patch),
  };
}

describe('the cursor', () => {
  test('iteration goes through all patches once, reset() starts over', () => {
    const { stream } = fakeStream(5);
    const seen = () =>
      Array.from(stream, ({ patch, metadata }) => [patch.data?.[11], metadata.patchWIdx]);
    const all = [0, 1, 2, 3, 4].map((i) => [i, i]);
    expect(seen()).toEqual(all);
    expect(seen()).toEqual([]);
    stream.reset();
    expect(seen()).toEqual(all);
  });

  test('nextN, nextNTensors and iteration share it', () => {
    const { stream } = fakeStream(6);
    expect(stream.nextN(2).metadata.map((m) => m.patchWIdx)).toEqual([0, 1]);
    for (const { metadata } of stream) {
      expect(metadata.patchWIdx).toBe(2);
      break;
    }
    const { patches, fields, scores } = stream.nextNTensors(2);
    expect([patches.shape, fields.shape, scores.shape]).toEqual([[2, 3, 2, 2], [2, 6], [2]]);
    expect(scores.data).toEqual(new Float32Array([1.5, 2]));
    expect(stream.remaining).toBe(1);
    expect(stream.nextN(100).patches.shape).toEqual([1, 3, 2, 2]);
  });

  test('past the end there are zero patches, not an error', () => {
    const { stream } = fakeStream(2);
    stream.nextN(2);
    const { patches, metadata } = stream.nextN(3);
    expect(patches.shape).toEqual([0, 3, 2, 2]);
    expect(patches.data).toHaveLength(0);
    expect(metadata).toEqual([]);
    expect(stream.nextNTensors(1).fields.shape).toEqual([0, 6]);
  });

  test('collectAll gives everything and leaves it where it is', () => {
    const { stream } = fakeStream(4);
    stream.nextN(3);
    const all = stream.collectAll();
    expect(all.patches.shape).toEqual([4, 3, 2, 2]);
    expect(all.metadata).toHaveLength(4);
    expect(all.metadataTensors.fields.shape).toEqual([4, 6]);
    expect(all).toMatchObject({ sampledFrameIds: [0, 70], fps: 25, durationSec: 2.84 });
    expect(stream.remaining).toBe(1);
  });

  test.each([0, -1, 1.5, NaN, '2', undefined])('nextN(%p) is refused', (n) => {
    const { stream } = fakeStream(2);
    expect(() => stream.nextN(n as number)).toThrow(/^Expected integer >= 1 for n but received/);
    expect(stream.remaining).toBe(2);
  });

  test('a stream without patches', () => {
    const { stream } = fakeStream(0);
    expect(stream.length).toBe(0);
    expect([...stream]).toEqual([]);
    expect(stream.collectAll().patches.shape).toEqual([0, 3, 2, 2]);
    expect(stream.positions.shape).toEqual([0, 3]);
  });
});

describe('closing', () => {
  test('releases every buffer once, and everything throws afterwards', () => {
    const { stream, result } = fakeStream(3);
    stream.close();
    stream.close();
    stream[Symbol.dispose]();
    for (const key of ['patches', 'fields', 'scores', 'frameScores'] as const) {
      expect(result[key].released).toBe(1);
    }
    const getters = Object.getOwnPropertyNames(PatchStream.prototype)
      .concat(Object.getOwnPropertyNames(Object.getPrototypeOf(PatchStream.prototype)))
      .filter(
        (name) => !['constructor', 'release', 'check', 'close', 'closed', 'toJSON'].includes(name),
      );
    const methods = ['nextN', 'nextNTensors', 'reset', 'collectAll'];
    expect(getters).toEqual(expect.arrayContaining([...methods, 'patches', 'fps', 'timings']));
    const target = stream as unknown as Record<string, unknown>;
    for (const name of getters) {
      const use = () =>
        methods.includes(name)
          ? (target[name] as (n: number) => void).call(stream, 1)
          : target[name];
      expect(use).toThrow(CLOSED as Error);
    }
    expect(() => [...stream]).toThrow(CLOSED as Error);
    expect(stream.closed).toBe(true);
  });

  test('what was taken from it before lives on', () => {
    const { stream, result } = fakeStream(3);
    const { patches } = stream.nextN(2);
    stream.close();
    expect(result.patches.released).toBe(0);
    expect(patches.data).toHaveLength(2 * 12);
    patches.close();
    expect(result.patches.released).toBe(1);
  });

  test('closing stream.patches leaves the stream usable', () => {
    const { stream } = fakeStream(3);
    const first = stream.nextN(1).patches;
    first.close();
    expect(stream.patches.data).toHaveLength(36);
  });

  test('an iteration that is under way ends with ERR_CPS_CLOSED', () => {
    const { stream } = fakeStream(3);
    const run = () => {
      for (const { metadata } of stream) if (metadata.patchWIdx === 1) stream.close();
    };
    expect(run).toThrow(CLOSED as Error);
  });

  test('await using and using close it', async () => {
    const { stream, result } = fakeStream(3);
    await stream[Symbol.asyncDispose]();
    expect(result.patches.released).toBe(1);
  });
});

describe('of a real video', () => {
  test('shape, metadata, positions and grid agree', async () => {
    const stream = await patchStream({ videoPath: BPYRAMID, sequenceLength: 8, kKeep: 300 });
    // 320×240 to 224² pixels: 252×196, 14 rows of 18 patches.
    expect(stream.grid).toEqual({ t: 8, h: 14, w: 18 });
    expect(stream.targetSize).toEqual({ width: 252, height: 196 });
    expect(stream.length).toBe(300);
    expect(stream.patches).toMatchObject({
      dtype: 'bfloat16',
      shape: [300, 3, 14, 14],
      device: 'cpu',
    });
    expect(stream).toMatchObject({
      width: 320,
      height: 240,
      totalFrames: 100,
      codec: 'h264',
      fps: 25,
    });
    expect(stream.durationSec).toBeCloseTo(4, 5);
    expect(stream.sampledFrameIds).toEqual(sampledIds(100, 8));
    stream.timestampsSec.forEach((s, i) =>
      expect(s).toBeCloseTo((stream.sampledFrameIds[i] ?? 0) / 25, 3),
    );
    expect(stream.backend).toEqual({ decode: 'cpu', process: 'cpu' });

    const { fields, scores } = stream.metadataTensors;
    const frameScores = stream.frameScores;
    expect(frameScores.shape).toEqual([8, 14, 18]);
    let last = -1;
    stream.metadata.forEach((m, i) => {
      const row = [...(fields.data?.subarray(i * 6, i * 6 + 6) ?? [])];
      expect(FIELD_NAMES.map((name) => Number(m[name]))).toEqual(row);
      expect(m.patchLinearIdx).toBe((m.seqPos * 14 + m.patchHIdx) * 18 + m.patchWIdx);
      expect(m.frameId).toBe(stream.sampledFrameIds[m.seqPos]);
      expect(m.isI).toBe(stream.isI[m.seqPos]);
      expect(m.score).toBe(scores.data?.[i]);
      expect(m.score).toBe(frameScores.data?.[m.patchLinearIdx]);
      expect([...(stream.positions.data?.subarray(i * 3, i * 3 + 3) ?? [])]).toEqual([
        m.seqPos,
        m.patchHIdx,
        m.patchWIdx,
      ]);
      expect(m.patchLinearIdx).toBeGreaterThan(last);
      last = m.patchLinearIdx;
    });
    const { timings } = stream;
    for (const key of ['decodeMs', 'totalMs']) expect(timings[key]).toBeGreaterThan(0);
    stream.close();
  });

  test('native memory is 64-byte aligned and not copied', async () => {
    const { records } = parsePatchStream({ videoPath: BPYRAMID, kKeep: 8 });
    const binding = native();
    const result = await binding.patchStream(BPYRAMID, records, binding.createCancel());
    for (const name of ['patches', 'fields', 'scores', 'frameScores'] as const) {
      expect(result[name].address % 64n).toBe(0n);
      expect(result[name].arrayBuffer()).toBe(result[name].arrayBuffer());
      expect(result[name].arrayBuffer().byteLength).toBe(result[name].byteLength);
      result[name].release();
      expect(result[name].address).toBe(0n);
    }
  });

  test('values are pixels', async () => {
    const stream = await patchStream({ videoPath: BPYRAMID, kKeep: 64, outputDtype: 'fp32' });
    const data = stream.patches.data as Float32Array;
    expect(Math.min(...data)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...data)).toBeLessThanOrEqual(255);
    expect(new Set(data).size).toBeGreaterThan(100);
    stream.close();
  });

  test('path, file: URL, URL object, Buffer, Uint8Array and ArrayBuffer give the same', async () => {
    const bytes = fs.readFileSync(BPYRAMID);
    const whole = new Uint8Array(bytes);
    const url = pathToFileURL(BPYRAMID);
    const inputs = [BPYRAMID, url.href, url, bytes, whole, whole.buffer];
    const results = [];
    for (const videoPath of inputs) {
      const stream = await patchStream({ videoPath, kKeep: 40 });
      results.push([stream.patches.data?.slice(), stream.positions.data?.slice()]);
      stream.close();
    }
    for (const result of results) expect(result).toEqual(results[0]);
  });

  test('bytes may be changed once the call has returned', async () => {
    const bytes = fs.readFileSync(BPYRAMID);
    const first = await patchStream({ videoPath: BPYRAMID, kKeep: 40 });
    const pending = patchStream({ videoPath: bytes, kKeep: 40 });
    bytes.fill(0);
    const second = await pending;
    expect(second.patches.data).toEqual(first.patches.data);
    first.close();
    second.close();
  });

  test.each(['bf16', 'fp16', 'fp32'] as const)('%s rounds to nearest even', async (outputDtype) => {
    const options = { videoPath: BPYRAMID, sequenceLength: 4, kKeep: 200, backend: 'cpu' } as const;
    const exact = await patchStream({ ...options, outputDtype: 'fp32' });
    const cast = await patchStream({ ...options, outputDtype });
    const step = (v: number, bits: number) =>
      2 ** (Math.max(Math.floor(Math.log2(Math.max(v, 2 ** -14))), -14) - bits);
    const bits = { bf16: 7, fp16: 10, fp32: 23 }[outputDtype];
    const want = exact.patches.data.map((v) => {
      const unit = step(v, bits);
      const scaled = v / unit;
      const floor = Math.floor(scaled);
      const half = scaled - floor;
      const up = half > 0.5 || (half === 0.5 && floor % 2 === 1);
      return (floor + (up ? 1 : 0)) * unit;
    });
    expect(await cast.patches.toFloat32()).toEqual(want);
    exact.close();
    cast.close();
  });

  test('layout and normalize', async () => {
    const options = {
      videoPath: BPYRAMID,
      sequenceLength: 4,
      kKeep: 50,
      outputDtype: 'fp32',
    } as const;
    const plain = await patchStream(options);
    const normalize = { scale: 1 / 128, mean: [0.5, 0.25, 1], std: [2, 0.5, 0.25] };
    const other = await patchStream({ ...options, layout: 'nhwc', normalize });
    expect(other.patches.shape).toEqual([50, 14, 14, 3]);
    const source = plain.patches.data ?? [];
    const target = other.patches.data ?? [];
    for (let k = 0; k < 50; k++) {
      for (let c = 0; c < 3; c++) {
        for (let i = 0; i < 196; i++) {
          const rgb = source[(k * 3 + c) * 196 + i] ?? NaN;
          const mean = normalize.mean[c] ?? NaN;
          const want = (rgb * normalize.scale - mean) / (normalize.std[c] ?? NaN);
          expect(Math.abs((target[(k * 196 + i) * 3 + c] ?? NaN) - want)).toBeLessThan(1e-5);
        }
      }
    }
    plain.close();
    other.close();
  });

  test('kKeep beyond what there is keeps everything', async () => {
    const stream = await patchStream({ videoPath: BPYRAMID, sequenceLength: 2, kKeep: 10_000 });
    expect(stream.length).toBe(2 * 14 * 18);
    const linear = stream.metadata.map((m) => m.patchLinearIdx);
    expect(linear).toEqual(Array.from({ length: 504 }, (_, i) => i));
    stream.close();
  });

  test('one frame, asked for 16 times', async () => {
    const stream = await patchStream({ videoPath: fixturePath('one_frame.mp4') });
    expect(stream.sampledFrameIds).toEqual(new Array(16).fill(0));
    expect(stream.grid.t).toBe(16);
    stream.close();
  });

  test('every strategy, thread count and mode gives the same bytes', async () => {
    const base = { videoPath: BPYRAMID, kKeep: 200 };
    const cacheDir = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-indexes-'));
    const variants: Partial<PatchStreamConfig>[] = [
      {},
      { uniformStrategy: 'seek' },
      { uniformStrategy: 'stream' },
      { uniformAutoRatio: 1 },
      { uniformAutoRatio: 1000 },
      { decodeThreads: 1 },
      { decodeThreads: 4, decodeThreadType: 'frame' },
      { decodeThreads: 2, decodeThreadType: 'slice' },
      { decodeMode: 'latency' },
      { readerCacheSize: 0 },
      { readerCacheSize: 0, readerCacheDir: cacheDir },
    ];
    const results = await Promise.all(variants.map((v) => patchStream({ ...base, ...v })));
    const [first] = results;
    for (const result of results) {
      expect(result.patches.data).toEqual(first?.patches.data);
      expect(result.positions.data).toEqual(first?.positions.data);
    }

    // What one call left on disk the next one, of another process as it were, takes up.
    const fromDisk = await patchStream({ ...base, readerCacheSize: 0, readerCacheDir: cacheDir });
    expect(fs.readdirSync(cacheDir)).toHaveLength(1);
    expect(fromDisk.timings).toMatchObject({ indexFromDisk: 1 });
    expect(fromDisk.patches.data).toEqual(first?.patches.data);
    // A folder that cannot be made is no reason to fail.
    const nowhere = await patchStream({ ...base, readerCacheDir: '/proc/none/below' });
    expect(nowhere.patches.data).toEqual(first?.patches.data);
    expect(nowhere.notes.map(({ code }) => code)).toContain('index-not-kept');
    [...results, fromDisk, nowhere].forEach((result) => result.close());
    fs.rmSync(cacheDir, { recursive: true });
  });

  test('rotation is applied before patches are cut', async () => {
    const stream = await patchStream({ videoPath: fixturePath('rot90.mp4'), sequenceLength: 2 });
    expect(stream).toMatchObject({ width: 240, height: 320 });
    expect(stream.grid).toEqual({ t: 2, h: 18, w: 14 });
    stream.close();
  });

  test('the diagnostics channel reports every call', async () => {
    const reports: CallReport[] = [];
    const listen = (message: unknown) => reports.push(message as CallReport);
    subscribe(CHANNEL_NAME, listen);
    const stream = await patchStream({ videoPath: BPYRAMID, kKeep: 4 });
    await decodeOnly({ videoPath: '/none.mp4' }).catch(() => undefined);
    unsubscribe(CHANNEL_NAME, listen);
    expect(reports).toHaveLength(2);
    expect(reports[0]).toMatchObject({
      api: 'patchStream',
      input: BPYRAMID,
      timings: stream.timings,
      backend: { decode: 'cpu', process: 'cpu' },
    });
    expect(reports[1]).toMatchObject({ api: 'decodeOnly', error: { code: 'ERR_CPS_NOT_FOUND' } });
    stream.close();
  });
});
