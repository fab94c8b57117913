/**
 * Embeds a folder of videos with a small vision transformer in ONNX Runtime, and says how much of
 * the decoding was hidden behind the inference.
 *
 *   npm run example infer-ort -- [FOLDER] [--input float32|float16|uint8] [--patches 512]
 *
 * Without a folder it makes a few clips. The model is built here too, with random weights.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { parseArgs } from 'node:util';
import * as ort from 'onnxruntime-node';
import { buildInfo } from 'codec-patch-stream';
import { feedStream } from 'codec-patch-stream/ort';
import { writeClips } from './lib/clips.ts';
import { vitOnnx, vitWeights } from './lib/vit.ts';
import type { OnnxOptions } from './lib/vit.ts';

export interface InferOptions {
  readonly input?: NonNullable<OnnxOptions['input']>;
  /** Patches per video. */
  readonly patches?: number;
  /** Frames per video. */
  readonly frames?: number;
  readonly log?: (line: string) => void;
}

export interface InferResult {
  /** One embedding per video, by path. */
  readonly embeddings: Map<string, Float32Array>;
  readonly videosPerSecond: number;
  /** Milliseconds: decoding (one video at a time), inference, and both together by the clock. */
  readonly decodeMs: number;
  readonly inferMs: number;
  readonly wallMs: number;
  /** Share of the decoding that the loop did not have to wait for, 0..1. */
  readonly overlap: number;
}

export async function infer(
  videos: readonly string[],
  options: InferOptions = {},
): Promise<InferResult> {
  const { input = 'float32', patches = 512, frames = 16, log = console.log } = options;
  const model = vitOnnx(vitWeights(1), { input });
  // One thread for the model, so that decoding has a core of its own on a small machine.
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1 });
  const embeddings = new Map<string, Float32Array>();
  let [decodeMs, inferMs] = [0, 0];
  buildInfo(); // Loads the addon, which would count as the first video's decoding.
  const start = performance.now();
  const feeds = feedStream(session, videos, {
    ort,
    kKeep: patches,
    sequenceLength: frames,
    // One at a time, so that the sum of their times is the time that decoding took.
    concurrency: 1,
    onError: (error) => log(`skipped: ${error.message}`),
  });
  for await (const batch of feeds) {
    const before = performance.now();
    const { embedding } = await session.run(batch.feeds);
    inferMs += performance.now() - before;
    const width = embedding?.dims[1] ?? 0;
    const values = embedding?.data as Float32Array;
    for (const [i, video] of batch.videos.entries()) {
      embeddings.set(video.entry, values.slice(i * width, (i + 1) * width));
      decodeMs += video.timings['totalMs'] ?? 0;
    }
  }
  const wallMs = performance.now() - start;
  await session.release();
  const waitedMs = wallMs - inferMs;
  const overlap = decodeMs === 0 ? 0 : Math.max(0, 1 - waitedMs / decodeMs);
  const videosPerSecond = (embeddings.size * 1000) / wallMs;
  return { embeddings, videosPerSecond, decodeMs, inferMs, wallMs, overlap };
}

const EXTENSIONS = ['.mp4', '.mov', '.mkv', '.webm', '.avi', '.ts', '.y4m'];

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      input: { type: 'string', default: 'float32' },
      patches: { type: 'string', default: '512' },
      model: { type: 'string' },
    },
  });
  const input = values.input as NonNullable<OnnxOptions['input']>;
  if (values.model !== undefined) writeFileSync(values.model, vitOnnx(vitWeights(1), { input }));
  const given = positionals[0];
  const folder = given ?? mkdtempSync(join(tmpdir(), 'clips-'));
  if (given === undefined) writeClips(folder, 24, 1, { size: 256, frames: 48 });
  const videos = readdirSync(folder)
    .filter((name) => EXTENSIONS.includes(extname(name).toLowerCase()))
    .sort()
    .map((name) => join(folder, name));
  const result = await infer(videos, { input, patches: Number(values.patches) });
  for (const [video, embedding] of result.embeddings) {
    const head = Array.from(embedding.subarray(0, 4), (v) => v.toFixed(3).padStart(7)).join(' ');
    console.log(`${head} ...  ${video}`);
  }
  const ms = (value: number): string => `${value.toFixed(0)} ms`;
  console.log(
    `${result.embeddings.size} videos, ${result.videosPerSecond.toFixed(1)} videos/s (${input}): ` +
      `decoding ${ms(result.decodeMs)}, inference ${ms(result.inferMs)}, together ${ms(result.wallMs)}; ` +
      `${(result.overlap * 100).toFixed(0)} % of the decoding was hidden behind the inference`,
  );
  if (given === undefined) rmSync(folder, { recursive: true });
}

if (/infer-ort\.[jt]s$/.test(process.argv[1] ?? '')) {
  main().catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
}
