#!/usr/bin/env node
/**
 * The command `codec-patch-stream VIDEO`: which patches of a video are selected and why, as a table,
 * as pictures and as summary.json. It uses nothing but the public API.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { inspect } from './inspect.js';
import type { InspectOptions } from './inspect.js';
import { AbortError, CodecPatchStreamError } from 'codec-patch-stream';

function whole(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError('Expected a whole number.');
  }
  return value;
}

function decimal(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) {
    throw new InvalidArgumentError('Expected a number.');
  }
  return value;
}

const choice = (flags: string, text: string, values: readonly string[], standard: string): Option =>
  new Option(flags, text).choices(values).default(standard);

const backends = ['auto', 'gpu', 'cpu'];

const program = new Command('codec-patch-stream')
  .description('Shows which patches of a video are selected: a table, pictures and summary.json.')
  .argument('[video]', 'path of a video')
  .addOption(new Option('--default-video <path>').hideHelp())
  .option('--frames <n>', 'uniformly sampled frames', whole, 16)
  .option('--input-size <pixels>', 'side of the square whose area frames are scaled to', whole, 224)
  .option('--patch <pixels>', 'side of a patch', whole, 14)
  .option('--topk <n>', 'patches to keep', whole, 1024)
  .addOption(choice('--dtype <type>', 'element type', ['bf16', 'fp16', 'fp32'], 'bf16'))
  .addOption(choice('--backend <device>', 'device of both stages', backends, 'auto'))
  .addOption(new Option('--decode-backend <device>', 'of decoding alone').choices(backends))
  .addOption(new Option('--process-backend <device>', 'of the rest alone').choices(backends))
  .option('--device-id <n>', 'CUDA device', whole, 0)
  .addOption(choice('--selection-unit <unit>', 'what competes', ['patch', 'block2x2'], 'patch'))
  .addOption(choice('--energy <kind>', 'how patches are scored', ['block', 'reference'], 'block'))
  .option(
    '--energy-pct <percent>',
    'percentile that motion and residual are divided by',
    decimal,
    95,
  )
  .option('--static-fallback', 'spread the selection when hardly anything moves', false)
  .addOption(
    choice(
      '--uniform-strategy <way>',
      'how frames are reached',
      ['auto', 'seek', 'stream'],
      'auto',
    ),
  )
  .addOption(
    choice('--color-matrix <name>', 'YUV to RGB', ['auto', 'bt601', 'bt709', 'bt2020'], 'auto'),
  )
  .option('--out-dir <folder>', 'where the pictures go', 'patch_viz')
  .option('--json', 'print summary.json instead of the tables', false)
  .showHelpAfterError('(--help lists every option)');

async function main(): Promise<void> {
  program.parse();
  const options = program.opts<InspectOptions & { defaultVideo?: string }>();
  const video = program.args[0] ?? options.defaultVideo;
  if (video === undefined) return program.error("error: missing required argument 'video'");
  const stop = new AbortController();
  process.once('SIGINT', () => {
    stop.abort();
  });
  try {
    await inspect(video, options, stop.signal);
  } catch (error) {
    if (error instanceof AbortError) {
      process.exitCode = 130;
    } else if (error instanceof CodecPatchStreamError) {
      process.stderr.write(`${error.code}: ${error.message}\n`);
      process.exitCode = 1;
    } else {
      throw error;
    }
  }
}

void main();
