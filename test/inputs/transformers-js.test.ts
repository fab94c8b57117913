/**
 * Tensors of model inputs in transformers.js: tiny models from a local folder, against the same models in
 * onnxruntime-node alone.
 *
 * @jest-environment ./test/helpers/one-realm-environment.cjs
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as ort from 'onnxruntime-node';
import { writeClips } from '../../examples/lib/clips.js';
import {
  frameEmbeddings,
  generate,
  smolvlmInput,
  tinyFolders,
} from '../../examples/transformers-js.js';
import type { TransformersJs } from '../../examples/transformers-js.js';
import { modelPath } from '../../examples/lib/models.js';
import { fromConfig, modelInputs, toTransformers } from '../../src/inputs/index.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-hf-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
const [clip] = writeClips(path.join(folder, 'clips'), 1, 5, { size: 64, frames: 24 });
const video = clip?.video as string;
const tiny = tinyFolders(folder);

// eslint-disable-next-line @typescript-eslint/no-require-imports -- dynamic import does not work in Jest's contexts
const hf = require('@huggingface/transformers') as TransformersJs;

const sessionOf = (name: string) =>
  ort.InferenceSession.create(modelPath(name), { intraOpNumThreads: 1 });

test('CLIP: embeddings of frames are those of the session', async () => {
  const { dims, data } = await frameEmbeddings(hf, tiny.clip, video, 3);
  const config = JSON.parse(
    fs.readFileSync(path.join(tiny.clip, 'preprocessor_config.json'), 'utf8'),
  ) as object;
  using inputs = await modelInputs(video, fromConfig('clip', config), {
    sample: { count: 3, place: 'middles' },
  });
  const pixels = inputs.tensors['pixel_values'];
  const session = await sessionOf('clip');
  const { output } = await session.run({
    pixel_values: new ort.Tensor(
      'float32',
      (await pixels?.toFloat32()) as Float32Array,
      [3, 3, 32, 32],
    ),
  });
  expect(dims).toEqual(output?.dims);
  expect(Array.from(data)).toEqual(Array.from(output?.data as Float32Array));
});

/** The same greedily by hand: features into the places of the image token, then one token after the other. */
async function byHand(prompt: readonly number[], frames: number, count: number): Promise<number[]> {
  const [vision, embed, decoder] = await Promise.all(
    ['smolvlm-vision', 'smolvlm-embed', 'smolvlm-decoder'].map(sessionOf),
  );
  using inputs = await modelInputs(video, smolvlmInput(tiny.vlm), { sample: { count: frames } });
  const { pixel_values, pixel_attention_mask } = inputs.tensors;
  const { image_features } = (await vision?.run({
    pixel_values: new ort.Tensor(
      'float32',
      (await pixel_values?.toFloat32()) as Float32Array,
      pixel_values?.shape,
    ),
    pixel_attention_mask: new ort.Tensor(
      'bool',
      (await pixel_attention_mask?.toHost()) as Uint8Array,
      pixel_attention_mask?.shape,
    ),
  })) as Record<string, ort.Tensor>;
  const features = image_features?.data as Float32Array;
  const ids = [...prompt];
  for (let i = 0; i < count; i++) {
    const tokens = BigInt64Array.from(ids, BigInt);
    const { inputs_embeds } = (await embed?.run({
      input_ids: new ort.Tensor('int64', tokens, [1, ids.length]),
    })) as Record<string, ort.Tensor>;
    const embeds = Float32Array.from(inputs_embeds?.data as Float32Array);
    let used = 0;
    prompt.forEach((id, at) => {
      if (id !== 7) return;
      embeds.set(features.subarray(16 * used, 16 * (used + 1)), 16 * at);
      used++;
    });
    expect(16 * used).toBe(features.length);
    const empty = new ort.Tensor('float32', new Float32Array(), [1, 2, 0, 8]);
    // All tokens anew each time: no cache that could hide something.
    const { logits } = (await decoder?.run({
      inputs_embeds: new ort.Tensor('float32', embeds, [1, ids.length, 16]),
      attention_mask: new ort.Tensor(
        'int64',
        tokens.map(() => 1n),
        [1, ids.length],
      ),
      'past_key_values.0.key': empty,
      'past_key_values.0.value': empty,
    })) as Record<string, ort.Tensor>;
    const last = (logits?.data as Float32Array).slice(-48);
    ids.push(last.indexOf(Math.max(...last)));
    if (ids.at(-1) === 0) break;
  }
  return ids;
}

test('an image-text model: what it generates of the frames is what comes by hand', async () => {
  const before = [1, 9];
  const after = [2, 3, 4];
  const prompt = [...before, ...new Array<number>(2 * 4).fill(7), ...after];
  const options = { before, after, frames: 2, newTokens: 6 };
  const generated = await generate(hf, tiny.vlm, video, options);
  const expected = await byHand(prompt, 2, 6);
  expect(generated).toEqual(expected);
  expect(generated.length).toBeGreaterThan(prompt.length);
});

test('tensors have the types, shapes and memory of ours; bfloat16 becomes float32', async () => {
  using inputs = await modelInputs(video, smolvlmInput(tiny.vlm), { sample: { count: 2 } });
  const tensors = await toTransformers(hf.Tensor, inputs);
  expect(tensors['pixel_values']?.dims).toEqual([1, 2, 3, 32, 32]);
  expect(tensors['pixel_attention_mask']?.type).toBe('bool');
  expect((tensors['pixel_values']?.data as Float32Array).buffer).toBe(
    inputs.tensors['pixel_values']?.data?.buffer,
  );
});
