/**
 * The examples, on input small enough for every test run.
 *
 * @jest-environment ./test/helpers/one-realm-environment.cjs
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { writeClips } from '../examples/lib/clips.js';
import { infer } from '../examples/infer-ort.js';
import { train } from '../examples/train-tfjs.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-examples-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

test('train-tfjs learns, prints its losses and saves a model that loads', async () => {
  await tf.setBackend('cpu');
  tf.env().set('IS_TEST', true);
  const before = tf.memory().numTensors;
  const lines: string[] = [];
  const saveTo = path.join(folder, 'model');
  const log = (line: string): void => void lines.push(line);
  const result = await train(tf, { clips: 64, heldOut: 16, epochs: 3, saveTo, log });
  expect(result.losses).toHaveLength(3);
  expect(result.losses[2]).toBeLessThan(result.losses[0] as number);
  expect(lines.filter((line) => line.startsWith('epoch'))).toHaveLength(3);
  expect(lines.at(-1)).toBe(`saved to ${saveTo}`);
  expect(tf.memory().numTensors).toBe(before);

  const json = JSON.parse(fs.readFileSync(path.join(saveTo, 'model.json'), 'utf8')) as {
    modelTopology: object;
    weightsManifest: { weights: tf.io.WeightsManifestEntry[] }[];
  };
  const weights = fs.readFileSync(path.join(saveTo, 'weights.bin'));
  const model = await tf.loadLayersModel(
    tf.io.fromMemory({
      modelTopology: json.modelTopology,
      weightSpecs: json.weightsManifest[0]?.weights as tf.io.WeightsManifestEntry[],
      weightData: Uint8Array.from(weights).buffer,
    }),
  );
  expect(model.inputNames).toEqual(['patches', 'positions', 'mask']);
  model.dispose();
});

test.each(['float32', 'float16', 'uint8'] as const)('infer-ort, %s', async (input) => {
  const videos = writeClips(folder, 4, 7, { size: 112, frames: 16 }).map(({ video }) => video);
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  const missing = path.join(folder, 'missing.mp4');
  const result = await infer([missing, ...videos], { input, patches: 64, frames: 8, log });
  expect([...result.embeddings.keys()]).toEqual(videos);
  for (const embedding of result.embeddings.values()) {
    expect(embedding).toHaveLength(64);
    expect(embedding.every(Number.isFinite)).toBe(true);
  }
  expect(new Set([...result.embeddings.values()].map(String)).size).toBe(4);
  expect(lines).toEqual([expect.stringMatching(/^skipped: .*missing\.mp4/)]);
  expect(result.videosPerSecond).toBeGreaterThan(0);
  expect(result.overlap).toBeGreaterThanOrEqual(0);
  expect(result.overlap).toBeLessThanOrEqual(1);
});
