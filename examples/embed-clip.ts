/**
 * Finds the videos of a folder that look most like one of them: each video is a few frames through a
 * CLIP-shaped model in ONNX Runtime, and the mean of their embeddings.
 *
 *   npm run example embed-clip -- [FOLDER] [--like VIDEO] [--model MODEL.onnx --config preprocessor_config.json]
 *
 * Without --model a tiny one with random weights is taken (examples/models/make.py made it): it shows the
 * way, not what is alike. Without a folder a few clips are made.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { parseArgs } from 'node:util';
import * as ort from 'onnxruntime-node';
import { fromConfig, inputStream } from 'codec-patch-stream/inputs';
import { feeds } from 'codec-patch-stream/ort';
import { writeClips } from './lib/clips.ts';
import { modelPath } from './lib/models.ts';

/** What the tiny model was made for: pictures of 32 × 32. */
const TINY = { size: { shortest_edge: 36 }, crop_size: { height: 32, width: 32 } };

export interface EmbedOptions {
  readonly model: string;
  /** The checkpoint's preprocessor_config.json, parsed. */
  readonly config?: object;
  /** Frames per video. */
  readonly frames?: number;
  readonly log?: (line: string) => void;
}

/** One embedding of length 1 per video. */
export async function embed(
  videos: readonly string[],
  { model, config = TINY, frames = 8, log = console.log }: EmbedOptions,
): Promise<Map<string, Float32Array>> {
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1 });
  const input = fromConfig('clip', config);
  const embeddings = new Map<string, Float32Array>();
  const stream = inputStream(videos, input, {
    sample: { count: frames, place: 'middles' },
    onError: (error, video) => log(`skipped ${video}: ${(error as Error).message}`),
  });
  for await (const inputs of stream) {
    const results = await session.run(await feeds(session, inputs));
    inputs.close();
    const output = results[session.outputNames[0] as string] as ort.Tensor;
    embeddings.set(inputs.videos[0]?.entry as string, unitMean(output));
  }
  return embeddings;
}

/** The mean of the rows, of length 1. */
function unitMean({ data, dims }: ort.Tensor): Float32Array {
  const values = data as Float32Array;
  const width = dims.at(-1) as number;
  const mean = new Float32Array(width);
  for (let i = 0; i < values.length; i++) mean[i % width]! += values[i]!;
  const length = Math.hypot(...mean);
  return mean.map((v) => v / length);
}

export const cosine = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, v, i) => sum + v * (b[i] as number), 0);

const EXTENSIONS = ['.mp4', '.mkv', '.mov', '.webm', '.avi', '.ts', '.y4m'];

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      like: { type: 'string' },
      model: { type: 'string', default: modelPath('clip') },
      config: { type: 'string' },
    },
  });
  const given = positionals[0];
  const folder = given ?? mkdtempSync(join(tmpdir(), 'clips-'));
  if (given === undefined) writeClips(folder, 8, 1, { size: 128, frames: 24 });
  const videos = readdirSync(folder)
    .filter((name) => EXTENSIONS.includes(extname(name).toLowerCase()))
    .sort()
    .map((name) => join(folder, name));
  const config = values.config && (JSON.parse(readFileSync(values.config, 'utf8')) as object);
  const found = await embed(videos, { model: values.model, ...(config ? { config } : {}) });
  const like = values.like ?? videos[0];
  const wanted = like === undefined ? undefined : found.get(like);
  if (!wanted) throw new Error(`${like} is not among the videos of ${folder}`);
  const ranked = [...found].map(([video, one]) => [cosine(wanted, one), video] as const);
  ranked.sort((a, b) => b[0] - a[0]);
  for (const [score, video] of ranked) console.log(`${score.toFixed(4)}  ${video}`);
  if (given === undefined) rmSync(folder, { recursive: true });
}

if (/embed-clip\.[jt]s$/.test(process.argv[1] ?? '')) {
  main().catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
}
