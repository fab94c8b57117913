/** `enqueue`, `work`, `status`, `drain`: extract as jobs of a queue. */
import { constants } from 'node:os';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { checkPatchStreamOptions, setThreads } from 'codec-patch-stream';
import { videoList } from '../extract/list.js';
import { allFinished, mergeShards } from '../extract/merge.js';
import { beginWith, planOf } from '../extract/plan.js';
import { checkCalls, settingsOf } from '../extract/recipe.js';
import { counted, ensureFolder, UsageError } from '../files.js';
import { addFlags, flagOptions, givenOf } from '../flags.js';
import { onInterrupt } from '../interrupt.js';
import { addressOf, connectTo } from '../queue/connection.js';
import type { Connected } from '../queue/connection.js';
import { enqueue } from '../queue/enqueue.js';
import { digestOf, forget, jobCounts, openQueue, readRun } from '../queue/run.js';
import { statusOf } from '../queue/status.js';
import type { QueueStatus } from '../queue/status.js';
import { runWorker } from '../queue/worker.js';
import { factTable } from '../tables.js';
import { print, progress } from '../terminal.js';
import { addMachineFlags, addRecipeFlags, wholeNumber } from './extract.js';
import type { ExtractFlags } from './extract.js';

const QUEUE = ['--queue <url>', 'redis://HOST/NAME: one name for each data set'] as const;
/** What a worker's machine decides; results do not depend on it. */
const RESULTS = ['colorMatrix', 'damaged', 'maxFramePixels', 'maxFrames'];

const tell = (line: string): void => void process.stderr.write(`${line}\n`);

/** How long a worker waits for a Redis that is not there when it begins. */
const REDIS_MS = 10_000;

async function connected<R>(
  url: string,
  use: (connection: Connected) => Promise<R>,
  waitMs?: number,
): Promise<R> {
  const connection = await connectTo(addressOf(url), tell, waitMs);
  try {
    return await use(connection);
  } finally {
    connection.close();
  }
}

function addEnqueue(program: Command): void {
  const options = flagOptions('patchStream', ['maps']);
  const command = program
    .command('enqueue')
    .summary('puts what extract would do into a queue, a job for each shard')
    .description(
      'Puts what extract would do into a queue in Redis, a job for each shard. Run it again at will.',
    )
    .argument(
      '<videos...>',
      "videos, folders, lists (.csv .tsv .jsonl .txt), '-' for a list on stdin",
    )
    .requiredOption(...QUEUE)
    .requiredOption('--out <folder>', 'where the shards go: a folder that all workers share');
  addRecipeFlags(command);
  command
    .option('--root <folder>', 'where relative paths begin')
    .option('--json', 'print the outcome as an object', false);
  addFlags(command, options);
  command.action(async (given: string[]) => {
    const flags = command.opts<ExtractFlags & { queue: string }>();
    const address = addressOf(flags.queue);
    const { settings, machine } = await settingsOf(flags, givenOf(command, options));
    const [other] = Object.keys(machine);
    if (other !== undefined) {
      throw new UsageError(`Expected no option of the machine (${other}): it belongs to 'work'`);
    }
    const list = await videoList(given, flags.root);
    const plan = await planOf(list, settings, flags.input);
    const out = resolve(flags.out);
    const { root } = list;
    const { videos, shards } = plan;
    const digest = digestOf(plan, out, root);
    const connection = await connectTo(address, tell);
    try {
      ensureFolder('--out', out);
      await beginWith(out, plan);
      const run = { settings, videos, shards: shards.length, out, root, digest };
      const bar = progress(shards.length, 'shards');
      const result = await enqueue(connection, run, list, () => bar.step('shards'));
      bar.done();
      if (flags.json) return await print(`${JSON.stringify(result)}\n`);
      const { added, retried } = result;
      await print(
        `${factTable([
          [
            'queue',
            `${connection.shown}: ${counted(videos, 'video')} in ${counted(shards.length, 'shard')}`,
          ],
          [
            'added',
            `${counted(added, 'job')}${retried > 0 ? `, ${retried} that had failed are tried again` : ''}`,
          ],
        ])}\n`,
      );
    } finally {
      connection.close();
    }
  });
}

interface WorkFlags {
  readonly queue: string;
  readonly out?: string;
  readonly root?: string;
  readonly jobs: number;
  readonly threads?: number;
  readonly takeover: number;
  readonly videoTries: number;
  readonly keep: boolean;
  readonly json: boolean;
}

function addWork(program: Command): void {
  const machine = flagOptions('patchStream').filter(
    ({ name, group }) => ['decoding', 'limits'].includes(group) && !RESULTS.includes(name),
  );
  const command = program
    .command('work')
    .summary('does the jobs of a queue until there are none')
    .description(
      'Does the jobs of a queue until there are none. One process a machine: it uses every core. SIGTERM finishes ' +
        'the videos in work and hands the rest back.',
    )
    .requiredOption(...QUEUE)
    .option('--out <folder>', "where this machine has the folder of enqueue's --out")
    .option('--root <folder>', 'where relative paths begin on this machine');
  addMachineFlags(command);
  command
    .option(
      '--takeover <seconds>',
      'a worker that is silent for so long has lost its jobs to others',
      wholeNumber(1),
      30,
    )
    .option(
      '--video-tries <n>',
      'a video that ends its worker so often is set aside',
      wholeNumber(1),
      3,
    )
    .option('--keep', 'wait for more jobs where there are none', false)
    .option('--json', 'print what happens as JSON, one event a line', false);
  addFlags(command, machine);
  command.action(async () => {
    const flags = command.opts<WorkFlags>();
    const given = givenOf(command, machine);
    checkPatchStreamOptions(given);
    await connected(flags.queue, (connection) => work(connection, flags, given), REDIS_MS);
  });
}

async function work(
  connection: Connected,
  flags: WorkFlags,
  machine: Readonly<Record<string, unknown>>,
): Promise<void> {
  const run = await readRun(connection);
  checkCalls(run.settings, machine);
  const out = flags.out === undefined ? run.out : resolve(flags.out);
  const root = flags.root === undefined ? run.root : resolve(flags.root);
  ensureFolder('--out', out);
  if (flags.threads !== undefined) setThreads(flags.threads);
  const drain = new AbortController();
  let signal: NodeJS.Signals | undefined;
  const hold = onInterrupt((received) => {
    signal = received;
    tell(`${received}: the videos in work are finished, the rest goes back to the queue`);
    drain.abort();
  });
  const bar = progress(run.videos, 'videos');
  try {
    await runWorker(connection, {
      run,
      io: { out, root, machine },
      jobs: flags.jobs,
      takeoverMs: 1000 * flags.takeover,
      videoTries: flags.videoTries,
      keep: flags.keep,
      drain: drain.signal,
      onEvent: (event) => {
        if (flags.json) process.stdout.write(`${JSON.stringify(event)}\n`);
        if (event.event === 'video' || event.event === 'failed') bar.step('videos');
      },
      onError: tell,
    });
    bar.done();
    if (signal !== undefined) {
      process.exitCode = 128 + constants.signals[signal];
      return;
    }
    // Of all workers the one that ends last makes a data set of the shards.
    const complete =
      (await allFinished(out, run.shards)) && (await mergeShards(out)).missing.length === 0;
    const status = await statusOf(connection);
    if (status.shards.failed > 0 || status.shards.missing > 0) process.exitCode = 1;
    if (flags.json) {
      await print(`${JSON.stringify({ event: 'finished', complete, ...status.videos })}\n`);
    } else {
      await print(`${textOf(status)}\n`);
    }
  } finally {
    bar.done();
    hold.done();
  }
}

function duration(seconds: number | null): string {
  if (seconds === null) return 'unknown yet';
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  return h > 0 ? `${h} h ${m} min` : m > 0 ? `${m} min ${s} s` : `${s} s`;
}

const MOST_LINES = 20;

function textOf(status: QueueStatus): string {
  const { videos, shards, videosPerSecond, failures, failedShards } = status;
  const facts: [string, string][] = [
    ['queue', status.queue],
    ['folder', status.out],
    ['videos', `${videos.done} of ${videos.total}, ${videos.failed} failed`],
    [
      'shards',
      `${shards.done} of ${shards.total}, ${shards.active} in work, ${shards.waiting} waiting, ` +
        `${shards.failed} given up${shards.missing > 0 ? `, ${shards.missing} not in the queue` : ''}`,
    ],
    ['speed', videosPerSecond === null ? 'unknown yet' : `${videosPerSecond.toFixed(1)} videos/s`],
    ['left', duration(status.secondsLeft)],
  ];
  const lines = [
    ...failures.map(({ code, path, message }) =>
      message.includes(path) ? `${code}: ${message}` : `${code}: ${path}: ${message}`,
    ),
    ...failedShards.map(({ shard, reason }) => `shard ${shard} is given up: ${reason}`),
  ];
  const more = lines.length > MOST_LINES ? [`... and ${lines.length - MOST_LINES} more`] : [];
  return [factTable(facts), ...lines.slice(0, MOST_LINES), ...more].join('\n');
}

function addStatus(program: Command): void {
  const command = program
    .command('status')
    .summary('how far a queue is: videos per second, failures, time left')
    .requiredOption(...QUEUE)
    .option('--json', 'print an object', false);
  command.action(async () => {
    const { queue, json } = command.opts<{ queue: string; json: boolean }>();
    const status = await connected(queue, statusOf);
    await print(json ? `${JSON.stringify(status)}\n` : `${textOf(status)}\n`);
  });
}

function addDrain(program: Command): void {
  const command = program
    .command('drain')
    .summary('takes what waits out of a queue; workers finish what they have')
    .requiredOption(...QUEUE)
    .option('--forget', 'take everything of this name out of Redis, results included', false)
    .option('--json', 'print an object', false);
  command.action(async () => {
    const flags = command.opts<{ queue: string; forget: boolean; json: boolean }>();
    const taken = await connected(flags.queue, async (connection) => {
      const queue = openQueue(connection);
      const { active, waiting } = await jobCounts(queue);
      if (flags.forget) await forget(connection, queue);
      else await queue.drain(true);
      await queue.close();
      return { taken: waiting, active };
    });
    if (flags.json) return print(`${JSON.stringify(taken)}\n`);
    await print(
      `${counted(taken.taken, 'job')} taken out, ${taken.active} in work. ` +
        (flags.forget ? 'Nothing of them is left in Redis.\n' : 'enqueue puts them back.\n'),
    );
  });
}

export function addQueue(program: Command): void {
  addEnqueue(program);
  addWork(program);
  addStatus(program);
  addDrain(program);
}
