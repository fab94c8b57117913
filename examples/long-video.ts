/**
 * Slides over a long video: each window goes through a video model, and what it says of the window is
 * printed with its seconds. Memory does not grow with the video.
 *
 *   npm run example long-video -- VIDEO [--seconds 2] [--hop 1] [--model MODEL.onnx --config FILE]
 *
 * Without --model a tiny VideoMAE with random weights is taken (examples/models/make.py made it).
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import * as ort from 'onnxruntime-node';
import { fromConfig, inputStream } from 'codec-patch-stream/inputs';
import { feeds } from 'codec-patch-stream/ort';
import { modelPath } from './lib/models.ts';

/** What the tiny model was made for: 4 frames of 32 × 32. */
const TINY = { size: { shortest_edge: 36 }, crop_size: { height: 32, width: 32 } };

export interface SlideOptions {
  readonly model: string;
  readonly config?: object;
  readonly frames?: number;
  readonly seconds?: number;
  readonly hop?: number;
}

export interface Finding {
  readonly fromSec: number;
  readonly toSec: number;
  /** The largest of the model's outputs (their mean over tokens), and its value. */
  readonly label: number;
  readonly score: number;
}

export async function* slide(video: string, options: SlideOptions): AsyncGenerator<Finding, void> {
  const { model, config = TINY, frames = 4, seconds = 2, hop = seconds / 2 } = options;
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1 });
  const input = fromConfig('videomae', config);
  const windows = inputStream([video], input, {
    windows: { seconds, hop },
    sample: { count: frames },
  });
  for await (const inputs of windows) {
    const results = await session.run(await feeds(session, inputs));
    inputs.close();
    const { data, dims } = results[session.outputNames[0] as string] as ort.Tensor;
    const width = dims.at(-1) as number;
    const mean = new Float32Array(width);
    (data as Float32Array).forEach((v, i) => (mean[i % width]! += v * (width / data.length)));
    const label = mean.indexOf(Math.max(...mean));
    const window = inputs.videos[0]?.window;
    yield {
      fromSec: window?.fromSec ?? 0,
      toSec: window?.toSec ?? 0,
      label,
      score: mean[label] as number,
    };
  }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '2' },
      hop: { type: 'string' },
      frames: { type: 'string', default: '4' },
      model: { type: 'string', default: modelPath('videomae') },
      config: { type: 'string' },
    },
  });
  const [video] = positionals;
  if (video === undefined) throw new Error('Which video? long-video VIDEO [--seconds 2] [--hop 1]');
  const config = values.config && (JSON.parse(readFileSync(values.config, 'utf8')) as object);
  const seconds = Number(values.seconds);
  const hop = values.hop === undefined ? seconds / 2 : Number(values.hop);
  const options = { model: values.model, seconds, hop, frames: Number(values.frames) };
  for await (const found of slide(video, { ...options, ...(config ? { config } : {}) })) {
    const span = `${found.fromSec.toFixed(2).padStart(8)} to ${found.toSec.toFixed(2).padStart(8)} s`;
    console.log(`${span}: label ${found.label} (${found.score.toFixed(3)})`);
  }
}

if (/long-video\.[jt]s$/.test(process.argv[1] ?? '')) {
  main().catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
}
