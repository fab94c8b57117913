import { execFileSync, fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { CodecPatchStreamError, decodeOnly, nativeStats, patchStream } from '../src/index.js';
import { fixturePath, fixtures, repoRoot } from './helpers/fixtures.js';

const VIDEO = fixturePath('h264_long_gop.mp4');
const DIST = path.join(repoRoot, 'dist', 'src', 'index.js');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-robust-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const errorOf = async (promise: Promise<unknown>): Promise<CodecPatchStreamError> => {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(CodecPatchStreamError);
  return error as CodecPatchStreamError;
};

describe('limits', () => {
  test.each([
    ['maxFramePixels', { maxFramePixels: 256 * 144 - 1 }, 'ERR_CPS_UNSUPPORTED'],
    ['maxFrames', { maxFrames: 299 }, 'ERR_CPS_UNSUPPORTED'],
    ['maxMemoryBytes', { maxMemoryBytes: 1 << 20, sequenceLength: 200 }, 'ERR_CPS_OUT_OF_MEMORY'],
    ['timeoutMs', { timeoutMs: 1, sequenceLength: 300, readerCacheSize: 0 }, 'ERR_CPS_UNSUPPORTED'],
  ])(
    '%s: refused with the limit and the file, and the next call works',
    async (name, limit, code) => {
      for (const call of [patchStream, decodeOnly]) {
        const error = await errorOf(call({ videoPath: VIDEO, backend: 'cpu', ...limit }));
        expect(error.code).toBe(code);
        expect(error.message).toContain(name);
        expect(error.message).toContain(VIDEO);
        (await call({ videoPath: VIDEO, backend: 'cpu', sequenceLength: 2 })).close();
      }
    },
  );

  test('at the limit a video is still decoded', async () => {
    const at = { maxFramePixels: 256 * 144, maxFrames: 300 };
    (await decodeOnly({ videoPath: VIDEO, backend: 'cpu', sequenceLength: 2, ...at })).close();
  });

  test('one pixel, and 16384x16384', async () => {
    const make = (name: string, size: string, pix: string): string => {
      const out = path.join(folder, name);
      const source = `color=gray:size=${size}:rate=1,trim=end_frame=1,format=${pix}`;
      execFileSync('ffmpeg', [
        ...['-v', 'error', '-f', 'lavfi', '-i', source, '-c:v', 'png', '-pred', 'none'],
        ...['-compression_level', '1', out],
      ]);
      return out;
    };
    const small = await decodeOnly({ videoPath: make('1x1.mov', '1x1', 'gray'), backend: 'cpu' });
    expect([small.width, small.height, small.frames.shape]).toEqual([1, 1, [16, 1, 1, 3]]);
    small.close();
    const videoPath = make('big.mov', '16384x16384', 'gray');
    const big = await patchStream({ videoPath, backend: 'cpu', sequenceLength: 1, kKeep: 4 });
    expect(big.patches.shape).toEqual([4, 3, 14, 14]);
    big.close();
    const error = await errorOf(
      decodeOnly({ videoPath, backend: 'cpu', sequenceLength: 16, maxMemoryBytes: 1 << 30 }),
    );
    expect(error.code).toBe('ERR_CPS_OUT_OF_MEMORY');
  });
});

/** A process that decodes all the time, says 'running' and then does what `ending` says. */
function decoding(ending: string): string {
  return `
    const { patchStream } = require(${JSON.stringify(DIST)});
    const call = () => patchStream({ videoPath: ${JSON.stringify(VIDEO)}, sequenceLength: 64,
      kKeep: 64, backend: 'cpu', readerCacheSize: 0 });
    const loop = () => call().then(loop);
    for (let i = 0; i < 6; i++) loop();
    call().then(() => {
      console.log('running');
      setTimeout(() => { ${ending} }, 7);
    });`;
}

describe('the end of a process in mid-decode takes less than a second', () => {
  test.each([
    ['process.exit', 'console.error(Date.now()); process.exit(7)', 7],
    ['an uncaught exception', 'console.error(Date.now()); throw new Error("on purpose")', 1],
    ['an unhandled rejection', 'console.error(Date.now()); Promise.reject(new Error("x"))', 1],
  ])('%s', (_, ending, status) => {
    const run = spawnSync(process.execPath, ['-e', decoding(ending)], { encoding: 'utf8' });
    const ended = Date.now();
    expect(run.signal).toBeNull();
    expect(run.status).toBe(status);
    expect(ended - Number(run.stderr.split('\n')[0])).toBeLessThan(1000);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('%s', async (signal) => {
    const child = spawn(process.execPath, ['-e', decoding('')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    const sent = performance.now();
    child.kill(signal);
    const [code, by] = (await once(child, 'exit')) as [number | null, string | null];
    expect(performance.now() - sent).toBeLessThan(1000);
    expect(code === null ? by : code).toBe(signal);
  });
});

test('child processes of a process that decodes work and leave it alone', async () => {
  const script = path.join(folder, 'child.cjs');
  fs.writeFileSync(
    script,
    `const { patchStream } = require(${JSON.stringify(DIST)});
     patchStream({ videoPath: ${JSON.stringify(VIDEO)}, backend: 'cpu', sequenceLength: 4, kKeep: 16 })
       .then((s) => process.send([...s.sampledFrameIds]));`,
  );
  const mine = Array.from({ length: 4 }, () =>
    patchStream({ videoPath: VIDEO, backend: 'cpu', sequenceLength: 32, kKeep: 16 }),
  );
  const ids = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const child = fork(script, { execArgv: [] });
      const [message] = (await once(child, 'message')) as [number[]];
      const [code] = (await once(child, 'exit')) as [number];
      expect(code).toBe(0);
      return message;
    }),
  );
  expect(ids).toEqual(Array(3).fill([0, 99, 199, 299]));
  for (const stream of await Promise.all(mine)) stream.close();
});

test('two copies of the package in one process', () => {
  // Another folder, another addon file: nothing is shared but the process.
  const copy = path.join(folder, 'copy');
  for (const part of ['package.json', 'dist/src', 'build/Release/codec_patch_stream.node']) {
    fs.cpSync(path.join(repoRoot, part), path.join(copy, part), { recursive: true });
  }
  const script = `
    const copies = [${JSON.stringify(DIST)}, ${JSON.stringify(path.join(copy, 'dist/src/index.js'))}].map(require);
    const call = (api) => api.patchStream({ videoPath: ${JSON.stringify(VIDEO)}, backend: 'cpu', kKeep: 64 });
    (async () => {
      const streams = await Promise.all([0, 1, 0, 1, 0, 1].map((c) => call(copies[c])));
      const texts = new Set(streams.map((s) => Buffer.from(s.patches.data.buffer).toString('hex')));
      streams.forEach((s) => s.close());
      console.log(copies[0] !== copies[1], texts.size);
    })();`;
  const run = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  expect(run.stderr).toBe('');
  expect(run.stdout.trim()).toBe('true 1');
});

test('every fixture gives the same bytes under every strategy and thread count, under load', async () => {
  const texts = new Map<string, string>();
  const one = async (name: string, i: number): Promise<void> => {
    const stream = await patchStream({
      ...{ videoPath: fixturePath(name), backend: 'cpu', sequenceLength: 5, kKeep: 32 },
      uniformStrategy: (['auto', 'seek', 'stream'] as const)[i % 3],
      ...{ decodeThreads: i % 4, decodeThreadType: (['auto', 'frame', 'slice'] as const)[i % 3] },
      decodeMode: i % 2 ? 'latency' : 'throughput',
    });
    const { fields, scores } = stream.metadataTensors;
    const parts = [stream.patches.data, fields.data, scores.data].map((data) =>
      Buffer.from((data?.buffer ?? new ArrayBuffer(0)) as ArrayBuffer).toString('latin1'),
    );
    const text = parts.join('|');
    expect(text === (texts.get(name) ?? text)).toBe(true);
    texts.set(name, text);
    stream.close();
  };
  const names = fixtures().map((clip) => clip.name);
  for (const name of names) await Promise.all(Array.from({ length: 4 }, (_, i) => one(name, i)));
  expect(texts.size).toBe(names.length);
});

test('a short soak: memory, threads and files stay flat', () => {
  const script = path.join(repoRoot, 'scripts', 'soak.mjs');
  const args = ['--expose-gc', script, '--calls', '400', '--streams', '16'];
  const run = spawnSync(process.execPath, args, { encoding: 'utf8' });
  const report = JSON.parse(run.stdout) as { problems: string[]; good: number };
  expect(report.problems.filter((text) => !text.includes('event loop'))).toEqual([]);
  expect(report.good).toBeGreaterThan(200);
});

test('nothing of this suite is left in flight', () => {
  expect(nativeStats().callsInFlight).toBe(0);
});
