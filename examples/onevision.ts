/**
 * Codec patches of videos through a model of OneVision-Encoder's shape: of 64 frames the patches that eight
 * frames would have, packed into eight pictures, and where each of them came from.
 *
 *   npm run example onevision -- VIDEO... [--model MODEL.onnx] [--frames 64] [--budget 8] [--energy adjacent]
 *
 * Without --model a tiny one with random weights is taken (examples/models/make.py made it): it shows the
 * way, not what the videos have in common.
 */
import { parseArgs } from 'node:util';
import * as ort from 'onnxruntime-node';
import type { PatchStreamConfig } from 'codec-patch-stream';
import { feedStream } from 'codec-patch-stream/ort';
import { modelPath } from './lib/models.ts';

export interface EncodeOptions {
  readonly model: string;
  /** Frames that are looked at (64), and how many frames' worth of patches are kept (8). */
  readonly frames?: number;
  readonly budget?: number;
  readonly energy?: PatchStreamConfig['energy'];
  readonly log?: (line: string) => void;
}

export interface Encoded {
  readonly video: string;
  /** The mean of the patches' outputs. */
  readonly embedding: Float32Array;
  /** How many patches each sampled frame gave. */
  readonly perFrame: readonly number[];
}

/** One embedding per video. */
export async function encodeVideos(
  videos: readonly string[],
  { model, frames = 64, budget = 8, energy = 'adjacent', log = console.log }: EncodeOptions,
): Promise<Encoded[]> {
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1 });
  const results: Encoded[] = [];
  const batches = feedStream(session, videos, {
    input: 'onevision-encoder-codec',
    sample: { count: frames, place: 'linspace', short: 'repeat-last' },
    select: { kKeep: { frames: budget }, energy },
    onError: (error, video) => log(`skipped ${video}: ${(error as Error).message}`),
  });
  for await (const { feeds, videos: fed } of batches) {
    const output = (await session.run(feeds))[session.outputNames[0] as string] as ort.Tensor;
    const [one] = fed;
    if (!one) continue;
    const indices = feeds['visible_indices']?.data as BigInt64Array;
    const [, rows, columns] = one.grid;
    results.push({
      video: one.entry,
      embedding: meanOf(output),
      perFrame: countPerFrame(indices, rows * columns, one.frames.length),
    });
    log(`${one.entry}: ${indices.length} patches of ${one.frames.length} frames`);
  }
  return results;
}

/** The mean of the rows of [1, K, D]. */
function meanOf({ data, dims }: ort.Tensor): Float32Array {
  const values = data as Float32Array;
  const width = dims.at(-1) as number;
  const mean = new Float32Array(width);
  for (let i = 0; i < values.length; i++) mean[i % width]! += values[i]!;
  return mean.map((sum) => (sum * width) / values.length);
}

/** Indices count over 64 frames; a sample of fewer is spread over these. */
function countPerFrame(indices: BigInt64Array, perFrame: number, frames: number): number[] {
  const counts = new Array<number>(frames).fill(0);
  const places = Array.from({ length: frames }, (_, i) =>
    frames > 1 ? Math.trunc((i * 63) / (frames - 1)) : 0,
  );
  for (const index of indices) counts[places.indexOf(Math.floor(Number(index) / perFrame))]!++;
  return counts;
}

/** Counts as a line of bars. */
export const bars = (counts: readonly number[]): string =>
  counts.map((n) => ' ▁▂▃▄▅▆▇█'[Math.ceil((8 * n) / Math.max(1, ...counts))]).join('');

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      model: { type: 'string', default: modelPath('onevision-encoder') },
      frames: { type: 'string', default: '64' },
      budget: { type: 'string', default: '8' },
      energy: { type: 'string', default: 'adjacent' },
    },
  });
  if (positionals.length === 0) throw new Error('Which videos? onevision VIDEO... [--model FILE]');
  const encoded = await encodeVideos(positionals, {
    ...{ model: values.model, frames: Number(values.frames), budget: Number(values.budget) },
    energy: values.energy as NonNullable<PatchStreamConfig['energy']>,
  });
  for (const { video, perFrame, embedding } of encoded) {
    console.log(`${video}\n  patches per frame ${bars(perFrame)}`);
    console.log(`  ${Array.from(embedding.subarray(0, 8), (v) => v.toFixed(3)).join(' ')} ...`);
  }
}

if (/onevision\.[jt]s$/.test(process.argv[1] ?? '')) {
  main().catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
}
