/**
 * The examples, on input small enough for every test run.
 *
 * @jest-environment ./test/helpers/one-realm-environment.cjs
 */
import * as fs from 'node:fs';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import sharp from 'sharp';
import * as tf from '@tensorflow/tfjs';
import { writeClips } from '../../examples/lib/clips.js';
import { cosine, embed } from '../../examples/embed-clip.js';
import { infer } from '../../examples/infer-ort.js';
import { slide } from '../../examples/long-video.js';
import { bars, encodeVideos } from '../../examples/onevision.js';
import { promptOf, shortened } from '../../examples/vlm-inputs.js';
import { ask, timedPictures } from '../../examples/vlm-server.js';
import { modelPath } from '../../examples/lib/models.js';
import { modelInputs } from '../../src/inputs/index.js';
import { train } from '../../examples/train-tfjs.js';

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

test('train-tfjs has the same losses from shards as from videos', async () => {
  await tf.setBackend('cpu');
  const options = { clips: 24, heldOut: 4, epochs: 2, seed: 5, log: () => undefined };
  const videos = await train(tf, options);
  const shards = await train(tf, { ...options, shards: true });
  expect(shards.losses).toEqual(videos.losses);
  expect(shards.accuracy).toBe(videos.accuracy);
  // Other weights would show.
  const other = await train(tf, { ...options, epochs: 1, seed: 6, shards: true });
  expect(other.losses[0]).not.toBe(videos.losses[0]);
}, 300_000);

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

test('embed-clip: a video is most like itself, a broken one is left out', async () => {
  const videos = writeClips(path.join(folder, 'embed'), 3, 5, { size: 64, frames: 8 });
  const paths = videos.map(({ video }) => video);
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  const missing = path.join(folder, 'missing.mp4');
  const found = await embed([...paths, missing], { model: modelPath('clip'), frames: 2, log });
  expect([...found.keys()]).toEqual(paths);
  expect(lines).toEqual([expect.stringMatching(/^skipped .*missing\.mp4/)]);
  const [first, ...others] = [...found.values()] as [Float32Array, ...Float32Array[]];
  expect(cosine(first, first)).toBeCloseTo(1, 5);
  for (const other of others) expect(cosine(first, other)).toBeLessThan(0.99999);
});

test('long-video: windows in order, over the whole of it', async () => {
  const [clip] = writeClips(path.join(folder, 'long'), 1, 5, { size: 64, frames: 40 });
  const found = [];
  const options = { model: modelPath('videomae'), seconds: 0.5, hop: 0.25 };
  for await (const one of slide(clip?.video as string, options)) found.push(one);
  for (const [i, { fromSec }] of found.entries()) expect(fromSec).toBeCloseTo(i * 0.25, 1);
  expect(found.every(({ fromSec, toSec }) => toSec > fromSec)).toBe(true);
  expect(found.every(({ score }) => Number.isFinite(score))).toBe(true);
  expect(found.length).toBeGreaterThan(3);
});

test('vlm-inputs: as many placeholders as tokens, each step with its time', async () => {
  const [clip] = writeClips(path.join(folder, 'vlm'), 1, 5, { size: 64, frames: 40 });
  for (const model of ['qwen2.5-vl', 'qwen3-vl', 'videollama3', 'glm-4v', 'gemma-4'] as const) {
    using inputs = await modelInputs(clip?.video as string, model, { sample: { count: 4 } });
    const [video] = inputs.videos;
    const prompt = promptOf(model, video as NonNullable<typeof video>);
    const pads = prompt.match(/<\|video_pad\|>|<image>|<\|image\|>|<\|video\|>/g) ?? [];
    expect(pads).toHaveLength(video?.tokens as number);
    expect(shortened(prompt).length).toBeLessThan(200);
  }
});

test('onevision: as many patches as asked for, of all frames, an embedding each', async () => {
  const clips = writeClips(path.join(folder, 'onevision'), 2, 5, { size: 64, frames: 40 });
  const paths = clips.map(({ video }) => video);
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  const missing = path.join(folder, 'missing.mp4');
  const model = modelPath('onevision-encoder');
  const found = await encodeVideos([...paths, missing], { model, frames: 16, budget: 2, log });
  expect(found.map(({ video }) => video)).toEqual(paths);
  expect(lines).toContainEqual(expect.stringMatching(/^skipped .*missing\.mp4/));
  for (const { perFrame, embedding } of found) {
    expect(perFrame).toHaveLength(16);
    expect(perFrame.reduce((sum, n) => sum + n, 0)).toBe(2 * 256);
    expect(perFrame[0]).toBe(256); // the first frame is kept whole
    expect(bars(perFrame)).toMatch(/^█[ ▁▂▃▄▅▆▇█]{15}$/);
    expect(embedding.every(Number.isFinite)).toBe(true);
  }
  expect(String(found[0]?.embedding)).not.toBe(String(found[1]?.embedding));
});

describe('vlm-server', () => {
  interface Body {
    model: string;
    messages: {
      role: string;
      content: { type: string; text?: string; image_url?: { url: string } }[];
    }[];
  }
  const requests: { url: string | undefined; key: string | undefined; body: Body }[] = [];
  let answer: [status: number, body: unknown] = [200, {}];
  // Speaks as much of the API as a chat needs.
  const server = http.createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(parts).toString()) as Body;
      requests.push({ url: request.url, key: request.headers.authorization, body });
      response.writeHead(answer[0], { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer[1]));
    });
  });
  let url = '';
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  test('sends pictures with their times and the question, and gives the answer', async () => {
    const [clip] = writeClips(path.join(folder, 'server'), 1, 5, { size: 64, frames: 40 });
    const video = clip?.video as string;
    answer = [200, { choices: [{ message: { role: 'assistant', content: 'A square moves.' } }] }];
    const options = { url, model: 'some-model', apiKey: 'secret', fps: 2, max: 3, side: 48 };
    expect(await ask(video, 'What happens?', options)).toBe('A square moves.');
    const [sent] = requests;
    expect([sent?.url, sent?.key]).toEqual(['/v1/chat/completions', 'Bearer secret']);
    expect(sent?.body.model).toBe('some-model');
    const content = sent?.body.messages[0]?.content ?? [];
    expect(content.map(({ type }) => type)).toEqual([
      ...['text', 'image_url', 'text', 'image_url', 'text', 'image_url', 'text'],
    ]);
    expect(content.at(-1)?.text).toBe('What happens?');
    const pictures = await timedPictures(video, options);
    for (const [i, { seconds, jpeg }] of pictures.entries()) {
      expect(content[2 * i]?.text).toBe(`<${seconds.toFixed(1)} seconds>`);
      const [, base64 = ''] = content[2 * i + 1]?.image_url?.url.split('base64,') ?? [];
      expect(Buffer.from(base64, 'base64').equals(jpeg)).toBe(true);
      expect(await sharp(jpeg).raw().toBuffer()).toHaveLength(48 * 48 * 3);
    }
    const times = pictures.map(({ seconds }) => seconds);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  test('a refusal and an empty answer are errors with the server’s words', async () => {
    const [clip] = writeClips(path.join(folder, 'server'), 1, 5, { size: 64, frames: 8 });
    const options = { url, model: 'none', max: 2, side: 32 };
    answer = [404, { error: { message: 'The model none does not exist' } }];
    await expect(ask(clip?.video as string, 'Hm?', options)).rejects.toThrow(
      /answered 404: .*The model none does not exist/,
    );
    answer = [200, { choices: [] }];
    await expect(ask(clip?.video as string, 'Hm?', options)).rejects.toThrow(/gave no answer/);
  });
});
