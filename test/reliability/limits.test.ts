import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { AbortError, CodecPatchStreamError, decodeOnly, patchStream } from '../../src/index.js';
import { nativeStats } from '../../src/index.js';
import type { DecodeConfig } from '../../src/index.js';
import { fixturePath, repoRoot } from '../helpers/fixtures.js';
import { expectNoNativeMemory } from '../helpers/native-memory.js';

const VIDEO = fixturePath('h264_long_gop.mp4'); // 300 frames of 256x144, 4:2:0
const WIDTH = 256;
const HEIGHT = 144;
const PICTURE = (WIDTH * HEIGHT * 3) / 2;
const DIST = path.join(repoRoot, 'dist', 'src', 'index.js');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-limits-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
afterEach(() => expectNoNativeMemory());

async function errorOf(promise: Promise<unknown>): Promise<CodecPatchStreamError> {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(CodecPatchStreamError);
  return error as CodecPatchStreamError;
}

const apis = { decodeOnly, patchStream };
const bytes = fs.readFileSync(VIDEO);
const inputs = { file: VIDEO, memory: bytes };
const names = { file: VIDEO, memory: `<memory, ${bytes.byteLength} bytes>` };

// What exactly fits. decodeOnly keeps no picture, so one of them counts beside the result.
// patchStream: T pictures, k rows of 3·14·14 bfloat16 and 32 bytes of
// metadata, 17 bytes for each of all T·12·22 patches (224² pixels: scaled to 308x168).
const T = 24;
const K = 512;
const FITS = {
  decodeOnly: T * WIDTH * HEIGHT * 3 + PICTURE,
  patchStream: T * PICTURE + K * (3 * 14 * 14 * 2 + 32) + T * 12 * 22 * 17,
};

describe.each(['decodeOnly', 'patchStream'] as const)('%s', (api) => {
  describe.each(['file', 'memory'] as const)('from %s', (kind) => {
    const call = (options: object): Promise<{ close(): void }> =>
      (apis[api] as (config: DecodeConfig) => Promise<{ close(): void }>)({
        videoPath: inputs[kind],
        backend: 'cpu',
        ...options,
      });
    const sampled = api === 'patchStream' ? { sequenceLength: T, kKeep: K } : { sequenceLength: T };

    test.each([
      ['maxFramePixels', WIDTH * HEIGHT, 'ERR_CPS_UNSUPPORTED'],
      ['maxFrames', 300, 'ERR_CPS_UNSUPPORTED'],
      ['maxMemoryBytes', FITS[api], 'ERR_CPS_OUT_OF_MEMORY'],
    ])('%s: %d is enough, one less is not', async (name, enough, code) => {
      (await call({ ...sampled, [name]: enough })).close();
      const error = await errorOf(call({ ...sampled, [name]: enough - 1 }));
      expect(error.code).toBe(code);
      expect(error.message).toContain(name);
      expect(error.message).toContain(names[kind]);
      // Nor does an index in the cache, built under other limits, get around it.
      (await call({ ...sampled })).close();
      expect((await errorOf(call({ ...sampled, [name]: enough - 1 }))).code).toBe(code);
      (await call({ ...sampled, [name]: enough })).close();
    });

    test('timeoutMs while decoding', async () => {
      const error = await errorOf(
        call({ sequenceLength: 300, timeoutMs: 5, readerCacheSize: 0, decodeThreads: 1 }),
      );
      expect(error.code).toBe('ERR_CPS_TIMEOUT');
      expect(error.message).toContain('timeoutMs');
      expect(error.message).toContain(names[kind]);
      (await call({ ...sampled, timeoutMs: 60_000 })).close();
    });
  });
});

describe('timeoutMs', () => {
  // Transport streams can be put one after the other. This one takes seconds to index.
  const big = path.join(folder, 'big.ts');
  beforeAll(() => {
    const part = fs.readFileSync(fixturePath('h264.ts'));
    const whole = Buffer.concat(Array<Buffer>(Math.ceil((96 << 20) / part.length)).fill(part));
    fs.writeFileSync(big, whole);
  });

  test.each(['file', 'memory'])('ends the indexing of a big %s', async (kind) => {
    const videoPath = kind === 'file' ? big : fs.readFileSync(big);
    const started = performance.now();
    const call = patchStream({ videoPath, backend: 'cpu', timeoutMs: 100 });
    const called = performance.now();
    const error = await errorOf(call);
    expect(error).toMatchObject({ code: 'ERR_CPS_TIMEOUT' });
    expect(['open', 'index', 'decode']).toContain(error.stage);
    // A copy of the bytes is made within the call itself.
    expect(performance.now() - called).toBeLessThan(400);
    expect(performance.now() - started).toBeGreaterThan(95);
  });

  test('ends the scan of a header that is gigabytes long', async () => {
    const videoPath = path.join(folder, 'meta.mp4');
    const head = Buffer.alloc(32);
    head.writeUInt32BE(16, 0);
    head.write('ftypisom', 4);
    head.writeUInt32BE(1, 16); // a size of 64 bits follows the type
    head.write('meta', 20);
    head.writeBigUInt64BE(BigInt(3 * 1024 ** 3 - 16), 24);
    fs.writeFileSync(videoPath, head);
    fs.truncateSync(videoPath, 3 * 1024 ** 3); // sparse
    const called = performance.now();
    const error = await errorOf(decodeOnly({ videoPath, backend: 'cpu', timeoutMs: 200 }));
    expect(error).toMatchObject({ code: 'ERR_CPS_TIMEOUT' });
    expect(performance.now() - called).toBeLessThan(1500);
    fs.rmSync(videoPath);
  });

  test('and abort: also while a call waits for a thread', async () => {
    const stop = new AbortController();
    let ended = 0;
    const busy = Array.from({ length: nativeStats().threads * 2 }, () =>
      decodeOnly({ videoPath: big, backend: 'cpu', signal: stop.signal, readerCacheSize: 0 })
        .catch((error: unknown) => expect(error).toBeInstanceOf(AbortError))
        .then(() => ended++),
    );
    const called = performance.now();
    const late = errorOf(patchStream({ videoPath: bytes, backend: 'cpu', timeoutMs: 60 }));
    const controller = new AbortController();
    const unwanted = patchStream({ videoPath: bytes, backend: 'cpu', signal: controller.signal });
    setTimeout(() => controller.abort('not needed'), 20);
    await expect(unwanted).rejects.toMatchObject({ name: 'AbortError', cause: 'not needed' });
    expect(performance.now() - called).toBeLessThan(60);
    const error = await late;
    expect(performance.now() - called).toBeLessThan(200);
    expect(error.code).toBe('ERR_CPS_TIMEOUT');
    expect(error.message).toContain('timeoutMs');
    expect(ended).toBe(0); // They were all in the way indeed.
    expect(nativeStats().callsInFlight).toBe(busy.length);
    stop.abort();
    await Promise.all(busy);
    (await patchStream({ videoPath: bytes, backend: 'cpu', timeoutMs: 60_000 })).close();
  });

  test('a timer keeps no process alive and a finished call none', () => {
    const script = `require(${JSON.stringify(DIST)}).decodeOnly({ backend: 'cpu', timeoutMs: 3600000,
      videoPath: ${JSON.stringify(VIDEO)}, sequenceLength: 2 }).then((r) => console.log(r.length))`;
    const run = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 20_000 });
    expect([run.status, run.stdout.trim()]).toEqual([0, '2']);
  });
});

/** Peak resident memory in MiB that `call` adds to a process, and the code it rejects with. */
function peakOf(call: string): { code: string; message: string; grownMiB: number } {
  const script = `
    const fs = require('node:fs');
    const { decodeOnly, patchStream } = require(${JSON.stringify(DIST)});
    const peak = () => Number(/VmHWM:\\s+(\\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) / 1024;
    decodeOnly({ videoPath: ${JSON.stringify(VIDEO)}, backend: 'cpu', sequenceLength: 2 }).then(async (warm) => {
      warm.close();
      const before = peak();
      const error = await (${call}).catch((e) => e);
      const { code, message } = error;
      console.log(JSON.stringify({ code: code ?? 'none', message: message ?? String(error), grownMiB: peak() - before }));
    });`;
  const run = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 60_000 });
  expect(run.stderr).toBe('');
  return JSON.parse(run.stdout) as ReturnType<typeof peakOf>;
}

describe('checked before memory is taken', () => {
  const ffmpeg = (...args: string[]): void => {
    execFileSync('ffmpeg', ['-v', 'error', '-y', '-nostdin', ...args], { cwd: folder });
  };

  test.each(['decodeOnly', 'patchStream'])('%s: a million frames', (api) => {
    const given = `{ videoPath: ${JSON.stringify(VIDEO)}, backend: 'cpu', sequenceLength: 1000000,
      maxMemoryBytes: 2 ** 31 }`;
    const { code, grownMiB } = peakOf(`${api}(${given})`);
    expect(code).toBe('ERR_CPS_OUT_OF_MEMORY');
    expect(grownMiB).toBeLessThan(64);
  });

  // Headers that say 16384x16384 over data of another size; the largest size that FFmpeg decodes is
  // a little less.
  test.each(['file', 'memory'])('a picture that is too large, from %s', (kind) => {
    ffmpeg(
      ...['-f', 'lavfi', '-i', 'color=gray:size=4096x4096,format=gray', '-frames:v', '1'],
      ...['-c:v', 'png', 'claims.mov'],
    );
    const file = fs.readFileSync(path.join(folder, 'claims.mov'));
    for (let i = 0; i < file.length - 4; i++) {
      // Sides as 16 and 32 bits, and as 16.16 in the track header.
      if (file.readUInt32BE(i) === 0x10001000) file.writeUInt32BE(0x40004000, i);
      else if (file.readUInt32BE(i) === 0x10000000) file.writeUInt32BE(0x40000000, i);
      else if (file.readUInt32BE(i) === 0x00001000) file.writeUInt32BE(0x00004000, i);
    }
    const lies = path.join(folder, 'lies.mov');
    fs.writeFileSync(lies, file);
    const given =
      kind === 'file' ? JSON.stringify(lies) : `fs.readFileSync(${JSON.stringify(lies)})`;
    const limited = peakOf(
      `patchStream({ videoPath: ${given}, backend: 'cpu', maxFramePixels: 4194304 })`,
    );
    expect(limited.code).toBe('ERR_CPS_UNSUPPORTED');
    expect(limited.message).toContain('maxFramePixels');
    expect(limited.grownMiB).toBeLessThan(32);
    const { code } = peakOf(`patchStream({ videoPath: ${given}, backend: 'cpu' })`);
    expect(code).toMatch(/^ERR_CPS_(CORRUPT|UNSUPPORTED|OUT_OF_MEMORY)$/);
  });

  test('a stream that becomes large after its first picture', () => {
    const source = (size: string): string[] => ['-f', 'lavfi', '-i', `testsrc=size=${size}`];
    const x264 = [
      '-frames:v',
      '1',
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      '-bsf:v',
      'h264_mp4toannexb',
    ];
    ffmpeg(...source('64x48'), ...x264, 'little.h264');
    ffmpeg(...source('8192x4096'), ...x264, 'large.h264');
    const both = ['little.h264', 'large.h264'].map((n) => fs.readFileSync(path.join(folder, n)));
    const videoPath = path.join(folder, 'grows.h264');
    fs.writeFileSync(videoPath, Buffer.concat(both));
    const given = `{ videoPath: ${JSON.stringify(videoPath)}, backend: 'cpu', sequenceLength: 2, `;
    const limited = peakOf(`decodeOnly(${given} maxFramePixels: 65536 })`);
    expect(limited.code).toMatch(/^ERR_CPS_(CORRUPT|UNSUPPORTED)$/);
    for (const threads of [0, 1, 2, 4]) {
      const free = peakOf(`decodeOnly(${given} decodeThreads: ${threads} })`);
      expect(`${free.code} ${free.message}`).toMatch(/^ERR_CPS_UNSUPPORTED .*change of size/);
      // One such picture is 48 MiB.
      expect(free.grownMiB).toBeGreaterThan(48);
    }
    expect(limited.grownMiB).toBeLessThan(40);
    // Patches are scaled anyway; the memory that such pictures take is checked when they come.
    const kept = peakOf(`patchStream(${given} maxMemoryBytes: ${32 << 20} })`);
    expect(kept.code).toBe('ERR_CPS_OUT_OF_MEMORY');
    expect(peakOf(`patchStream(${given} })`).code).toBe('none');
  });

  test('one pixel, and the largest picture', async () => {
    const png = ['-frames:v', '1', '-c:v', 'png', '-pred', 'none', '-compression_level', '1'];
    ffmpeg('-f', 'lavfi', '-i', 'color=gray:size=1x1,format=gray', ...png, '1x1.mov');
    ffmpeg('-f', 'lavfi', '-i', 'color=gray:size=16384x8192,format=gray', ...png, 'large.mov');
    const small = await decodeOnly({ videoPath: path.join(folder, '1x1.mov'), backend: 'cpu' });
    expect(small.frames.shape).toEqual([16, 1, 1, 3]);
    small.close();
    const videoPath = path.join(folder, 'large.mov');
    const large = await patchStream({ videoPath, backend: 'cpu', sequenceLength: 1, kKeep: 4 });
    expect([large.width, large.height, large.length]).toEqual([16384, 8192, 4]);
    large.close();
    const error = await errorOf(
      decodeOnly({ videoPath, backend: 'cpu', sequenceLength: 16, maxMemoryBytes: 1 << 30 }),
    );
    expect(error.code).toBe('ERR_CPS_OUT_OF_MEMORY');
  });
});
