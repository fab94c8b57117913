/**
 * Tensors of model inputs against what transformers' own processors made of the same frames, recorded by
 * test/parity/record_inputs.py: every element, by hash.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { fromConfig, modelInputs } from '../../src/inputs/index.js';
import type { PresetName } from '../../src/inputs/index.js';
import { hashFrames } from '../helpers/hash-frames.js';
import { longForm } from '../helpers/long-form.js';
import type { HashVideo } from '../helpers/hash-frames.js';

interface Case {
  readonly preset: PresetName;
  readonly config: Readonly<Record<string, unknown>>;
  readonly videos: readonly HashVideo[];
  readonly tensors: Readonly<
    Record<string, { dtype: string; shape: number[]; sha256: string; head: unknown[] }>
  >;
}

const file = path.join(__dirname, '../parity/inputs.txt');
const recorded = JSON.parse(fs.readFileSync(file, 'utf8')) as { readonly cases: readonly Case[] };

const bytesOf = (data: ArrayBufferView): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** In full every case; else two of each preset: its class as it is, and another configuration. */
const chosen = recorded.cases.filter((one) => {
  const alike = recorded.cases.filter(({ preset }) => preset === one.preset);
  return longForm || one === (alike[1] ?? alike[0]) || one === alike[3];
});

const named = chosen.map((one, i) => {
  const sizes = one.videos.map(({ frames, height, width }) => `${frames}×${height}×${width}`);
  return [`${i} ${one.preset}: ${sizes.join(' and ')}`, one] as const;
});

/** Where a preset calls the tensors of the class otherwise; null: it has others in their place. */
const OTHER: Partial<Record<PresetName, Readonly<Record<string, string | null>>>> = {
  'llava-onevision-2': { pixel_values_videos: 'pixel_values', video_grid_thw: null },
  // Not for the model: how many placeholders a frame has in the prompt.
  'gemma-4': { num_soft_tokens_per_video: null },
};

test.each(named)('%s', async (_, { preset, config, videos, tensors }) => {
  using inputs = await modelInputs(videos.map(hashFrames), fromConfig(preset, config));
  const expected: Record<string, unknown> = {};
  const seen: Record<string, unknown> = {};
  for (const [theirs, wanted] of Object.entries(tensors)) {
    const name = OTHER[preset]?.[theirs] ?? theirs;
    if (OTHER[preset]?.[theirs] === null) continue;
    expected[name] = wanted;
    const tensor = inputs.tensors[name];
    if (!tensor) continue;
    const data = await tensor.toHost();
    const step = Math.max(1, Math.floor(data.length / 4));
    const head = [0, 1, 2, 3]
      .filter((i) => i * step < data.length)
      .map((i) => (tensor.dtype === 'bool' ? data[i * step] === 1 : Number(data[i * step])));
    const sha256 = createHash('sha256').update(bytesOf(data)).digest('hex');
    seen[name] = { dtype: tensor.dtype, shape: [...tensor.shape], sha256, head };
  }
  expect(seen).toEqual(expected);
  const { num_soft_tokens_per_video: softTokens } = tensors;
  if (softTokens) {
    const tokens = inputs.videos.map(({ steps: [first] }) => first?.tokens);
    expect(tokens).toEqual(softTokens.head.slice(0, tokens.length));
  }
});
