/** `enqueue`, `work`, `status`, `drain`: whatever ends meanwhile, the shards are those of one undisturbed run. */
import { execFileSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { addressOf, connectTo } from '../../packages/cli/src/queue/connection.js';
import type { ShardResult } from '../../packages/cli/src/extract/shards.js';
import { enqueue } from '../../packages/cli/src/queue/enqueue.js';
import { readDone } from '../../packages/cli/src/queue/run.js';
import { runWorker } from '../../packages/cli/src/queue/worker.js';
import { cliBeside, digests, SMALL_INPUT, startCli } from '../helpers/extract.js';
import type { Ran } from '../helpers/extract.js';
import { fixturePath } from '../helpers/fixtures.js';
import { longForm } from '../helpers/long-form.js';
import { seeded } from '../helpers/random.js';
import { hasRedis, TestRedis } from '../helpers/redis.js';

const CLIPS = ['h264_bpyramid.mp4', 'vfr.mp4', 'h264_opengop.mp4', 'small.mp4', 'gone.mp4'];
const KILLS = longForm ? 20 : 3;

interface Status {
  readonly videos: { total: number; done: number; failed: number };
  readonly shards: Record<'total' | 'done' | 'active' | 'waiting' | 'failed' | 'missing', number>;
  readonly videosPerSecond: number | null;
  readonly secondsLeft: number | null;
  readonly failures: { index: number; path: string; code: string; message: string }[];
  readonly failedShards: { shard: number; reason: string }[];
}

let folder: string;
let redis: TestRedis;
const at = (...names: string[]): string => path.join(folder, ...names);
const recipe = (list: string): string[] => [
  ...[at(list), '--input', at('input.json'), '--shard-videos', '4'],
];
const enqueueing = (list: string, name: string): string[] => [
  ...['enqueue', ...recipe(list), '--queue', redis.urlOf(name), '--out', at(name), '--json'],
];
const working = (name: string, ...more: string[]): string[] => [
  ...['work', '--queue', redis.urlOf(name), '--jobs', '2', '--threads', '1', '--takeover', '2'],
  ...['--json', ...more],
];
const statusOf = async (name: string): Promise<Status> => {
  const { stdout, stderr } = await cliBeside(['status', '--queue', redis.urlOf(name), '--json']);
  expect(stderr).toBe('');
  return JSON.parse(stdout) as Status;
};

/** An undisturbed extract of a list. */
async function plain(list: string, out: string): Promise<Record<string, string>> {
  const args = ['extract', ...recipe(list), '--out', at(out), '--max-failures', '1000'];
  const { status, stderr } = await cliBeside(args);
  expect([status, stderr]).toEqual([0, '']);
  return digests(at(out));
}

const listOf = (name: string, rows: readonly string[]): void =>
  fs.writeFileSync(at(name), rows.join('\n'));

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-queue-'));
  for (const name of CLIPS.slice(0, -1)) fs.symlinkSync(fixturePath(name), at(name));
  fs.symlinkSync(fixturePath('small.mp4'), at('poison.mp4'));
  fs.writeFileSync(at('input.json'), JSON.stringify(SMALL_INPUT));
  fs.mkdirSync(at('redis'));
  if (hasRedis) redis = await TestRedis.start(at('redis'));
});
afterAll(async () => {
  if (hasRedis) await redis.kill();
  fs.rmSync(folder, { recursive: true, force: true });
});

/** Collects what a child says; `started` settles when it has begun so many videos, or has ended. */
function watch(child: ChildProcess): {
  ended: Promise<Ran>;
  started: (count: number) => Promise<void>;
} {
  let [stdout, stderr, seen] = ['', '', 0];
  const waiting: { count: number; settle: () => void }[] = [];
  const tell = (over: boolean): void => {
    for (const one of waiting) if (over || seen >= one.count) one.settle();
  };
  child.stderr?.on('data', (text: Buffer) => (stderr += text.toString()));
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  lines.on('line', (line) => {
    stdout += `${line}\n`;
    if (line.includes('"started"')) seen++;
    tell(false);
  });
  const ended = once(child, 'close').then(([status]) => {
    tell(true);
    return { status: status as number | null, stdout, stderr };
  });
  const started = (count: number): Promise<void> =>
    new Promise((settle) => {
      waiting.push({ count, settle });
      tell(child.exitCode !== null || child.signalCode !== null);
    });
  return { ended, started };
}

const withRedis = hasRedis ? describe : describe.skip;
if (!hasRedis)
  console.warn('The queue is not tested: there is no redis-server (apt: redis-server)');

withRedis('a queue', () => {
  test(`enqueuer, workers and Redis killed ${KILLS} times: the same bytes as undisturbed`, async () => {
    const random = seeded(longForm ? String(Date.now()) : 'queue');
    const pick = (n: number): number => Math.floor(random() * n);
    const rows = Array.from({ length: 16 * KILLS }, (_, i) => CLIPS[(i * 7) % CLIPS.length] ?? '');
    listOf('many.txt', rows);
    const expected = await plain('many.txt', 'many-plain');

    // The enqueuer, in the middle of it or before.
    const enqueuer = startCli(enqueueing('many.txt', 'many'));
    const enqueued = watch(enqueuer).ended;
    await wait(200 + pick(800));
    enqueuer.kill('SIGKILL');
    await enqueued;
    const again = await cliBeside(enqueueing('many.txt', 'many'));
    expect([again.status, again.stderr]).toEqual([0, '']);

    const start = (): { child: ChildProcess } & ReturnType<typeof watch> => {
      const child = startCli(working('many', '--video-tries', '50'));
      return { child, ...watch(child) };
    };
    const workers = [start(), start()];
    let killed = 1;
    for (; killed < KILLS; killed++) {
      const victim = pick(2);
      const one = workers[victim] as (typeof workers)[0];
      await Promise.race([one.started(1 + pick(4)), wait(20_000)]);
      await wait(pick(60));
      if (killed % 3 === 2) {
        await redis.kill();
        await wait(pick(500));
        await redis.start();
      } else {
        // It was at work: else this would show nothing.
        const over = one.child.exitCode === null ? null : await one.ended;
        expect(over).toBe(null);
        one.child.kill('SIGKILL');
        await one.ended;
        workers[victim] = start();
      }
    }
    expect(killed).toBe(KILLS);
    const ends = await Promise.all(workers.map(({ ended }) => ended));
    expect(ends.map(({ status }) => status)).toEqual([0, 0]);
    expect(digests(at('many'))).toEqual(expected);
    const status = await statusOf('many');
    const gone = rows.flatMap((name, index) => (name === 'gone.mp4' ? [index] : []));
    expect(status.failures.map(({ index, code }) => [index, code])).toEqual(
      gone.map((index) => [index, 'ERR_CPS_NOT_FOUND']),
    );
    expect(status).toMatchObject({
      videos: { total: rows.length, done: rows.length, failed: gone.length },
      shards: { total: 4 * KILLS, done: 4 * KILLS, active: 0, waiting: 0, failed: 0, missing: 0 },
      secondsLeft: 0,
      failedShards: [],
    });
    expect(status.videosPerSecond).toBeGreaterThan(0);
  }, 600_000);

  test('a video that ends its worker is set aside after its tries and told once; its neighbours are not', async () => {
    const rows = ['small.mp4', 'vfr.mp4', 'poison.mp4', 'small.mp4', 'vfr.mp4', 'small.mp4'];
    listOf('poison.txt', rows);
    listOf(
      'without.txt',
      rows.map((name) => name.replace('poison', 'gone')),
    );
    const expected = await plain('without.txt', 'without');
    expect((await cliBeside(enqueueing('poison.txt', 'poison'))).status).toBe(0);
    const env = {
      ...process.env,
      NODE_OPTIONS: `--require=${path.join(__dirname, '../helpers/poison.cjs')}`,
    };
    let ends = 0;
    let last: Ran | undefined;
    do {
      const { ended } = watch(startCli(working('poison', '--video-tries', '2'), { env }));
      last = await ended;
    } while (last.status === null && ++ends < 8);
    // Once beside others, twice alone.
    expect([last.status, ends]).toEqual([0, 3]);
    const { failures } = await statusOf('poison');
    expect(failures).toEqual([
      {
        ...{ index: 2, path: 'poison.mp4', code: 'WORKER_ENDED' },
        message: expect.stringMatching(/^poison.mp4: the worker ended 2 times/) as string,
      },
    ]);
    // Samples are those of a run in which it was missing.
    const tars = (all: Record<string, string>): unknown =>
      Object.entries(all).filter(([name]) => name.endsWith('.tar'));
    expect(tars(digests(at('poison')))).toEqual(tars(expected));
    const lines = fs.readFileSync(at('poison', 'failures.jsonl'), 'utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(failures);
  }, 300_000);

  test('SIGTERM finishes the videos in work and hands the rest back; drain takes it out, enqueue puts it back', async () => {
    const rows = Array.from({ length: 24 }, (_, i) => CLIPS[i % 4] ?? '');
    listOf('term.txt', rows);
    const expected = await plain('term.txt', 'term-plain');
    const first = await cliBeside(enqueueing('term.txt', 'term'));
    expect(JSON.parse(first.stdout)).toEqual({ videos: 24, shards: 6, added: 6, retried: 0 });
    expect(JSON.parse((await cliBeside(enqueueing('term.txt', 'term'))).stdout)).toMatchObject({
      added: 0,
    });

    const child = startCli(working('term'));
    const { ended, started } = watch(child);
    await started(3);
    child.kill('SIGTERM');
    const { status, stdout, stderr } = await ended;
    expect([status, stderr]).toEqual([
      143,
      expect.stringMatching(/^SIGTERM: the videos in work are finished/),
    ]);
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string });
    const count = (name: string): number => events.filter(({ event }) => event === name).length;
    // What was begun is finished, and nothing was begun after that.
    expect(count('video')).toBe(count('started'));
    expect(count('started')).toBeLessThan(rows.length);
    const { shards } = await statusOf('term');
    expect(shards).toMatchObject({ active: 0, failed: 0, missing: 0, waiting: 6 - shards.done });

    const drain = await cliBeside(['drain', '--queue', redis.urlOf('term'), '--json']);
    expect(JSON.parse(drain.stdout)).toEqual({ taken: shards.waiting, active: 0 });
    expect((await statusOf('term')).shards).toMatchObject({ waiting: 0, missing: shards.waiting });
    const back = await cliBeside(enqueueing('term.txt', 'term'));
    expect(JSON.parse(back.stdout)).toMatchObject({ added: shards.waiting });
    const rest = await cliBeside(working('term'));
    expect([rest.status, rest.stderr]).toEqual([0, '']);
    // Videos that the first worker had finished are not done again.
    expect(rest.stdout.split('"started"').length - 1).toBe(rows.length - count('started'));
    expect(digests(at('term'))).toEqual(expected);
  }, 300_000);

  test('a worker that begins while Redis starts anew waits for it', async () => {
    listOf('late.txt', ['small.mp4']);
    const expected = await plain('late.txt', 'late-plain');
    expect((await cliBeside(enqueueing('late.txt', 'late'))).status).toBe(0);
    await redis.kill();
    const { ended } = watch(startCli(working('late')));
    await Promise.race([ended, wait(2000)]);
    await redis.start();
    const { status, stderr } = await ended;
    expect([status, stderr]).toEqual([0, '']);
    expect(digests(at('late'))).toEqual(expected);
  }, 60_000);

  test('--format and its flags: the files of extract; what a worker is told is checked with them first', async () => {
    const clip = at('one-reference.mp4'); // what energy 'codec' takes
    const source = ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=s=64x48:d=1'];
    execFileSync('ffmpeg', [...source, '-c:v', 'libx264', '-bf', '0', '-refs', '1', clip]);
    const flags = ['--format', 'llava-onevision-2', '--canvases', '4', '--energy', 'codec'];
    const extracted = await cliBeside(['extract', clip, ...flags, '--out', at('canvases-plain')]);
    expect([extracted.status, extracted.stderr]).toEqual([0, '']);
    const expected = digests(at('canvases-plain'));
    expect(Object.keys(expected)).toContainEqual(expect.stringMatching(/canvas_000\.jpg$/));
    const queue = ['--queue', redis.urlOf('canvases')];
    const put = ['enqueue', clip, ...flags, ...queue, '--out', at('canvases')];
    expect((await cliBeside(put)).status).toBe(0);
    // Else the video would fail, and a data set without it be finished.
    const refused = await cliBeside(working('canvases', '--backend', 'gpu'));
    expect([refused.status, refused.stdout, refused.stderr]).toEqual([
      ...[1, ''],
      expect.stringMatching(/'cpu' or 'auto' \((--)?energy is 'codec'\) for --backend/),
    ]);
    expect((await cliBeside(working('canvases'))).status).toBe(0);
    expect(digests(at('canvases'))).toEqual(expected);
  }, 60_000);

  test('a video that Redis refuses to take back from a worker ends neither worker nor shard', async () => {
    const connection = await connectTo(addressOf(redis.urlOf('hands')), () => undefined);
    const { client } = connection;
    try {
      const settings = {
        ...({ recipe: { kind: 'patches', options: {} } } as const),
        ...({ format: 'webdataset', members: 'npy' } as const),
        ...{ shardVideos: 2, decoding: {}, hash: false },
      } as const;
      const run = { settings, videos: 2, shards: 1, out: folder, root: folder, digest: 'hands' };
      const list = {
        root: folder,
        // eslint-disable-next-line @typescript-eslint/require-await -- as lists are read
        rows: async function* () {
          for (const index of [0, 1]) yield { index, path: 'small.mp4', columns: {} };
        },
      };
      await enqueue(connection, run, list, () => undefined);
      // The first one twice, the second one always.
      const refused: Record<string, number> = { 0: 2, 1: Infinity };
      const multi = client.multi.bind(client) as () => ReturnType<typeof client.multi>;
      const spoilt = (): ReturnType<typeof client.multi> => {
        const batch = multi();
        const [hdel, exec] = [batch.hdel.bind(batch), batch.exec.bind(batch)];
        let field = '';
        return Object.assign(batch, {
          hdel: (key: string, index: string) => hdel(key, (field = index)),
          exec: () =>
            field !== '' && (refused[field] as number)-- > 0
              ? Promise.reject(new Error('MISCONF no'))
              : exec(),
        });
      };
      Object.assign(client, { multi: spoilt });
      const errors: string[] = [];
      let extracted = 0;
      await runWorker(connection, {
        ...{ run, io: { out: folder, root: folder, machine: {} }, jobs: 2, takeoverMs: 30_000 },
        ...{ videoTries: 3, keep: false, drain: new AbortController().signal },
        onEvent: () => undefined,
        onError: (message) => errors.push(message),
        extract: async ({ videos }, io) => {
          extracted++;
          for (const { index, path } of videos) io.onEvent?.({ event: 'started', index, path });
          for (const { index, path } of videos) io.onEvent?.({ event: 'video', index, path });
          await wait(20);
          return { failures: [] } as Partial<ShardResult> as ShardResult;
        },
      });
      expect({ errors, extracted }).toEqual({ errors: [], extracted: 1 });
      expect([...(await readDone(connection)).keys()]).toEqual([0]);
      expect(await client.hkeys('codec-patch-stream-hands:hands')).toEqual(['1']);
    } finally {
      connection.close();
    }
  }, 30_000);

  test('what is wrong is said', async () => {
    const says = async (args: string[], message: RegExp): Promise<void> => {
      const { status, stderr } = await cliBeside(args);
      expect([status, stderr.trim().split('\n')[0]]).toEqual([1, expect.stringMatching(message)]);
    };
    await says(
      ['status', '--queue', 'redis://127.0.0.1:1/x'],
      /Expected Redis at redis:\/\/127.0.0.1:1\/x for --queue: .*ECONNREFUSED/,
    );
    // Nothing is asked of Redis for what no worker can do.
    await says(
      ['work', '--queue', 'redis://127.0.0.1:1/x', '--timeout-ms=-5'],
      /^ERR_CPS_INVALID_ARGUMENT: .* for --timeout-ms but received/,
    );
    for (const url of [
      'http://h/x',
      'redis://h',
      'redis://u:secret@h/a/b/c',
      'redis://h/a:b',
      'x',
    ]) {
      const { status, stderr } = await cliBeside(['status', '--queue', url]);
      expect([status, stderr]).toEqual([
        1,
        expect.stringMatching(/Expected redis:\/\/.* for --queue/),
      ]);
      expect(stderr).not.toContain('secret');
    }
    await says(['work', '--queue', redis.urlOf('none')], /Nothing was enqueued at/);
    listOf('one.txt', ['small.mp4']);
    listOf('two.txt', ['vfr.mp4']);
    expect((await cliBeside(enqueueing('one.txt', 'one'))).status).toBe(0);
    await says(
      enqueueing('two.txt', 'one').map((part) => (part === at('one') ? at('two') : part)),
      /Expected a queue of its own for each data set/,
    );
    await says(
      [...enqueueing('one.txt', 'one'), '--timeout-ms', '5'],
      /timeoutMs.*belongs to 'work'/,
    );
    // A folder that cannot be written to is no video's fault: the shard is tried again, then given up.
    const forgotten = await cliBeside([
      'drain',
      '--queue',
      redis.urlOf('one'),
      '--forget',
      '--json',
    ]);
    expect(forgotten.status).toBe(0);
    await says(['status', '--queue', redis.urlOf('one')], /Nothing was enqueued at/);
  }, 120_000);
});
