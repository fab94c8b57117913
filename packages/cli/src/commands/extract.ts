/** `extract`: a data set of videos into shards of tensors. */
import { availableParallelism, constants } from 'node:os';
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { setThreads } from 'codec-patch-stream';
import { Stopped } from '../extract/failures.js';
import { videoList } from '../extract/list.js';
import { allFinished, mergeShards } from '../extract/merge.js';
import { beginWith, planOf } from '../extract/plan.js';
import { settingsOf } from '../extract/recipe.js';
import type { RecipeFlags } from '../extract/recipe.js';
import { runShards } from '../extract/run.js';
import type { Totals } from '../extract/run.js';
import type { ExtractEvent, Settings } from '../extract/shards.js';
import { splitOf } from '../extract/split.js';
import { counted, ensureFolder } from '../files.js';
import { addFlags, flagOptions, givenOf } from '../flags.js';
import { onInterrupt } from '../interrupt.js';
import { factTable } from '../tables.js';
import { print, progress } from '../terminal.js';

/** Tensors for people to look at, and what one sample is not about. */
const NOT_OF_SAMPLES = ['maps'];
/** Videos in work at once, where nobody says: decoders of one video do not keep every core busy. */
const MOST_JOBS = 16;

export interface ExtractFlags
  extends RecipeFlags, Pick<Settings, 'members' | 'shardVideos' | 'hash'> {
  readonly out: string;
  readonly root?: string;
  readonly shard?: string;
  readonly jobs: number;
  readonly threads?: number;
  readonly maxFailures?: number;
  readonly retryFailed: boolean;
  readonly json: boolean;
}

export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || !Number.isSafeInteger(value)) {
      throw new InvalidArgumentError(`Expected integer >= ${least}.`);
    }
    return value;
  };
}

/** The flags that say how much of the machine is used. */
export function addMachineFlags(command: Command): void {
  command
    .option(
      '--jobs <n>',
      'videos in work at once',
      wholeNumber(1),
      Math.min(MOST_JOBS, Math.max(2, availableParallelism())),
    )
    .option('--threads <n>', 'threads of the whole process', wholeNumber(1));
}

/** The flags that say what is extracted and how it is written. */
export function addRecipeFlags(command: Command): void {
  command
    .option('--input <name>', 'a preset, or a description in FILE.json or FILE.mjs')
    .option(
      '--config <file>',
      "preprocessor_config.json of the checkpoint; may be given again for the model's other files",
      (file: string, before: string[] = []) => [...before, file],
    )
    .option('--class-defaults', 'of a preset: what its class does without a file')
    .option('--patches', 'the patches that patchStream selects, in place of --input')
    .addOption(
      new Option('--format <name>', 'archives, or folders as the loaders of one model read them')
        .choices(['webdataset', 'onevision', 'onevision-mosaics', 'llava-onevision-2'])
        .default('webdataset'),
    )
    .option('--canvases <n>', 'of llava-onevision-2: about so many of a video (32)', wholeNumber(1))
    .addOption(
      new Option('--members <kind>', 'of tensors in a shard; bfloat16 needs safetensors')
        .choices(['npy', 'safetensors'])
        .default('npy'),
    )
    .option('--shard-videos <n>', 'videos of a shard', wholeNumber(1), 100)
    .option('--hash', 'tell changed files by their content, not by size and time', false);
}

export function addExtract(program: Command): void {
  const options = flagOptions('patchStream', NOT_OF_SAMPLES);
  const command = program
    .command('extract')
    .summary('a data set of videos into shards of tensors, once for many trainings')
    .description(
      'Writes the tensors of many videos as WebDataset shards. Killed at any moment, the same command goes on ' +
        'from there.',
    )
    .argument(
      '<videos...>',
      "videos, folders, lists (.csv .tsv .jsonl .txt), '-' for a list on stdin",
    )
    .requiredOption('--out <folder>', 'where the shards go');
  addRecipeFlags(command);
  command
    .option('--root <folder>', 'where relative paths begin')
    .option('--shard <i/n>', "the i-th of n shares; 'auto' asks Slurm or Kubernetes");
  addMachineFlags(command);
  command
    .option(
      '--max-failures <n>',
      'stop when more videos fail; up to so many are fine',
      wholeNumber(0),
    )
    .option('--retry-failed', 'make finished shards anew that have failures', false)
    .option('--json', 'print what happens as JSON, one event a line', false);
  addFlags(command, options);
  command.action(async (given: string[]) => {
    const flags = command.opts<ExtractFlags>();
    await extract(given, flags, givenOf(command, options));
  });
}

/** One line an event, or a bar. */
function reporter(json: boolean, total: number): { tell(event: ExtractEvent): void; done(): void } {
  const bar = progress(total, 'videos');
  const begin = performance.now();
  let [videos, failed] = [0, 0];
  return {
    tell: (event) => {
      if (json) process.stdout.write(`${JSON.stringify(event)}\n`);
      if (event.event === 'shard') {
        if (event.reused) bar.step('videos', event.samples);
        return;
      }
      if (event.event === 'started') return;
      if (event.event === 'failed') failed++;
      videos++;
      const rate = (1000 * videos) / (performance.now() - begin);
      bar.step(`videos, ${rate.toFixed(1)}/s${failed > 0 ? `, ${failed} failed` : ''}`);
    },
    done: () => bar.done(),
  };
}

async function extract(
  given: readonly string[],
  flags: ExtractFlags,
  options: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { out, json } = flags;
  const split = splitOf(flags.shard, process.env);
  const { settings, machine } = await settingsOf(flags, options);
  const list = await videoList(given, flags.root);
  const plan = await planOf(list, settings, flags.input);
  ensureFolder('--out', out);
  await beginWith(out, plan);
  if (flags.threads !== undefined) setThreads(flags.threads);
  const stop = new AbortController();
  let signal: NodeJS.Signals | undefined;
  const hold = onInterrupt((received) => {
    signal = received;
    stop.abort();
  });
  const own = Math.max(0, Math.ceil((plan.shards.length - split.part) / split.of));
  const report = reporter(json, Math.min(plan.videos, own * settings.shardVideos));
  const begin = performance.now();
  try {
    const totals = await runShards({
      ...{ list, settings, split, out, machine, jobs: flags.jobs },
      maxFailures: flags.maxFailures ?? Infinity,
      retryFailed: flags.retryFailed,
      signal: stop.signal,
      onEvent: (event) => report.tell(event),
    });
    report.done();
    const seconds = (performance.now() - begin) / 1000;
    // Of several shares the one that ends last makes a data set of them.
    const complete =
      (await allFinished(out, plan.shards.length)) && (await mergeShards(out)).missing.length === 0;
    await summarize(out, json, totals, { seconds, complete });
    // Nobody said that some may fail.
    if (totals.failed > 0 && flags.maxFailures === undefined) process.exitCode = 1;
  } catch (error) {
    report.done();
    if (!(error instanceof Stopped) || signal === undefined) throw error;
    process.stderr.write(
      `${signal}: stopped. What is finished is kept: the same command goes on from there.\n`,
    );
    process.exitCode = 128 + constants.signals[signal];
  } finally {
    hold.done();
  }
}

async function summarize(
  out: string,
  json: boolean,
  totals: Totals,
  { seconds, complete }: { readonly seconds: number; readonly complete: boolean },
): Promise<void> {
  if (json) {
    return print(`${JSON.stringify({ event: 'finished', ...totals, seconds, complete })}\n`);
  }
  const { shards, samples, failed, bytes } = totals;
  const facts: [string, string][] = [
    ['samples', `${samples} in ${counted(shards, 'shard')}, ${(bytes / 1e6).toFixed(1)} MB`],
    ['failed', failed === 0 ? 'none' : `${failed}${complete ? ' (failures.jsonl)' : ''}`],
    ['time', `${seconds.toFixed(1)} s`],
    ['data set', complete ? `complete: ${out}/manifest.json` : 'other shares are not finished'],
  ];
  await print(`${factTable(facts)}\n`);
}
