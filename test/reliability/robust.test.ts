import { fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { nativeStats, patchStream } from '../../src/index.js';
import { fixturePath, repoRoot } from '../helpers/fixtures.js';

const VIDEO = fixturePath('h264_long_gop.mp4');
const OTHERS = ['hevc.mp4', 'vp9.webm', 'mpeg4.avi'].map(fixturePath);
const DIST = path.join(repoRoot, 'dist', 'src', 'index.js');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-robust-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Runs a scenario of helpers/robust-child.cjs in a process of its own. */
function child<R>(scenario: string, videos: string[], timeout = 110_000): R {
  const script = path.join(__dirname, '../helpers/robust-child.cjs');
  const args = ['--expose-gc', script, scenario, ...videos];
  const run = spawnSync(process.execPath, args, { encoding: 'utf8', timeout });
  expect([run.signal, run.status, run.stderr]).toEqual([null, 0, '']);
  return JSON.parse(run.stdout) as R;
}

test('aborts at 200 random moments: a right result or an AbortError, and the next call is right', () => {
  const { aborted, finished, wrong, settled, callsInFlight } = child<{
    aborted: number;
    finished: number;
    wrong: string[];
    settled: boolean;
    callsInFlight: number;
  }>('aborts', [VIDEO, ...OTHERS]);
  expect(wrong).toEqual([]);
  expect(aborted + finished).toBe(200);
  expect(aborted).toBeGreaterThan(50);
  expect(finished).toBeGreaterThan(5);
  expect([settled, callsInFlight]).toEqual([true, 0]);
});

describe('streams', () => {
  test('close while patches are taken off it', async () => {
    const stream = await patchStream({ videoPath: VIDEO, backend: 'cpu', kKeep: 64 });
    const { patches } = stream.nextN(8);
    const held = patches.data.slice();
    const taken: number[] = [];
    const iterate = (): void => {
      for (const { metadata } of stream) {
        taken.push(metadata.patchLinearIdx);
        if (taken.length === 3) stream.close();
      }
    };
    expect(iterate).toThrow(expect.objectContaining({ code: 'ERR_CPS_CLOSED' }) as Error);
    expect(taken).toHaveLength(3);
    expect(() => stream.nextN(1)).toThrow(/closed/);
    expect(patches.data).toEqual(held);
    patches.close();
  });

  test('close while nextN goes on in turns with other calls', async () => {
    const streams = await Promise.all(
      Array.from({ length: 4 }, () => patchStream({ videoPath: VIDEO, backend: 'cpu', kKeep: 64 })),
    );
    const outcomes = await Promise.all(
      streams
        .map(async (stream, i) => {
          setTimeout(() => stream.close(), i * 3);
          for (let n = 0; ; n++) {
            const part = stream.nextN(2);
            await part.patches.toHost();
            part.patches.close();
            await new Promise((resolve) => setTimeout(resolve, 1));
            if (stream.remaining === 0) stream.reset();
            expect(n).toBeLessThan(10_000);
          }
        })
        .map((promise) => promise.catch((error: { code: string }) => error.code)),
    );
    expect(outcomes).toEqual(Array(4).fill('ERR_CPS_CLOSED'));
    expect(nativeStats().callsInFlight).toBe(0);
  });

  test('dropped without close, they are collected and the external memory goes back', () => {
    const { all, before, held, after } = child<{
      all: boolean;
      before: number;
      held: number;
      after: number;
    }>('dropped', [VIDEO]);
    expect(all).toBe(true);
    expect(held - before).toBeGreaterThan(2 * 2048 * 3 * 14 * 14 * 2);
    expect(after - before).toBeLessThan(1 << 20);
  });

  test('dropped without close in a loop, they are collected before memory runs out', () => {
    // 80 of about 20 MiB, without a call of gc().
    const { mostMiB } = child<{ mostMiB: number }>('pressure', [fixturePath('small.mp4')]);
    expect(mostMiB).toBeGreaterThan(15);
    expect(mostMiB).toBeLessThan(800);
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
  const stamp = 'console.error(Date.now());';
  test.each([
    ['process.exit', `${stamp} process.exit(7)`, 7],
    [
      'process.exit in an exit handler',
      `process.on('exit', () => process.exit(9)); ${stamp} process.exit()`,
      9,
    ],
    ['an uncaught exception', `${stamp} throw new Error("on purpose")`, 1],
    ['an unhandled rejection', `${stamp} Promise.reject(new Error("x"))`, 1],
  ])('%s', (_, ending, status) => {
    for (let i = 0; i < 2; i++) {
      const run = spawnSync(process.execPath, ['-e', decoding(ending)], {
        encoding: 'utf8',
        timeout: 30_000,
      });
      const ended = Date.now();
      expect([run.signal, run.status]).toEqual([null, status]);
      expect(ended - Number(run.stderr.split('\n')[0])).toBeLessThan(1000);
    }
  });

  test.each([
    ['SIGINT', '', 'SIGINT'],
    ['SIGTERM', '', 'SIGTERM'],
    ['SIGKILL', '', 'SIGKILL'],
    ['SIGINT', "process.on('SIGINT', () => process.exit(5))", 5],
    ['SIGTERM', "process.on('SIGTERM', () => process.exit(6))", 6],
  ] as const)('%s %s', async (signal, handler, expected) => {
    const running = spawn(process.execPath, ['-e', handler + decoding('')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(running.stdout, 'data');
    const sent = performance.now();
    running.kill(signal);
    const [code, by] = (await once(running, 'exit')) as [number | null, string | null];
    expect(performance.now() - sent).toBeLessThan(1000);
    expect(code ?? by).toBe(expected);
  });
});

describe('several environments', () => {
  test('36 come and go, some terminated in mid-decode', () => {
    const { ended, wrong, threads } = child<{ ended: number; wrong: string[]; threads: number }>(
      'environments',
      [VIDEO],
    );
    expect(wrong).toEqual([]);
    expect(ended).toBe(36);
    // Node's own 11 or so, one per processor of ours, and decoder threads kept for the next call.
    expect(threads).toBeLessThan(20 + 4 * os.availableParallelism());
  });

  test('a worker that fails in mid-decode ends in less than a second, and alone', () => {
    const { messages, slowest, same } = child<{
      messages: string[];
      slowest: number;
      same: boolean;
    }>('workerError', [VIDEO]);
    expect(messages).toEqual(Array(5).fill('on purpose'));
    expect(slowest).toBeLessThan(1000);
    expect(same).toBe(true);
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
        const forked = fork(script, { execArgv: [] });
        const exit = once(forked, 'exit');
        const [message] = (await once(forked, 'message')) as [number[]];
        expect(await exit).toEqual([0, null]);
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
        const one = await copies[0].patchStream({ videoPath: '/none.mp4' }).catch((e) => e);
        console.log(copies[0] !== copies[1], texts.size, one instanceof copies[0].CodecPatchStreamError);
      })();`;
    const run = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 60_000 });
    expect([run.status, run.stderr]).toEqual([0, '']);
    expect(run.stdout.trim()).toBe('true 1 true');
  });
});
