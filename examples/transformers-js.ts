/**
 * Videos in transformers.js: it has models but no processors of videos, and takes tensors that are there.
 *
 *   npm run example transformers-js -- VIDEO... [--clip FOLDER] [--vlm FOLDER]
 *
 * FOLDER is a model as the hub has it: config.json, preprocessor_config.json, onnx/*.onnx. Without it tiny ones with
 * random weights are taken (examples/models/make.py made them): they show the way, and say nothing. The
 * vision-language model is one of SmolVLM's kind.
 *
 * npm install @huggingface/transformers works with --ignore-scripts and ONNXRUNTIME_NODE_INSTALL=skip.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { VideoInput } from 'codec-patch-stream';
import { defineInput, fromConfig, modelInputs, toTransformers } from 'codec-patch-stream/inputs';
import type { InputSpec } from 'codec-patch-stream/inputs';
import { modelPath } from './lib/models.ts';

/* An ES module whose types a CommonJS program reaches in this way alone. */
/* eslint-disable @typescript-eslint/consistent-type-imports, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unnecessary-type-assertion */
/** The module @huggingface/transformers: the caller imports it, as an ES module. */
export type TransformersJs = typeof import('@huggingface/transformers', {
  with: { 'resolution-mode': 'import' },
});

const jsonOf = (file: string): object => JSON.parse(readFileSync(file, 'utf8')) as object;

/** A folder on this machine, by name, and nothing from elsewhere. */
function local({ env }: TransformersJs, folder: string): string {
  env.allowRemoteModels = false;
  env.localModelPath = dirname(resolve(folder));
  return basename(folder);
}

const OPTIONS = { dtype: 'fp32', device: 'cpu', local_files_only: true } as const;

/** What CLIP's vision part makes of some frames: [frames, D] per video. */
export async function frameEmbeddings(
  hf: TransformersJs,
  folder: string,
  video: VideoInput,
  frames = 4,
): Promise<{ readonly dims: readonly number[]; readonly data: Float32Array }> {
  const input = fromConfig('clip', jsonOf(join(folder, 'preprocessor_config.json')));
  const model = await hf.CLIPVisionModelWithProjection.from_pretrained(local(hf, folder), OPTIONS);
  using inputs = await modelInputs(video, input, { sample: { count: frames, place: 'middles' } });
  const outputs = (await model(await toTransformers(hf.Tensor, inputs))) as Record<
    string,
    { readonly dims: readonly number[]; readonly data: Float32Array }
  >;
  await model.dispose();
  const [output] = Object.values(outputs);
  if (output === undefined) throw new Error('The model has no output');
  return { dims: output.dims, data: output.data };
}

/** SmolVLM's input, with a mask of the type that its exported vision part takes. */
export function smolvlmInput(folder: string): InputSpec {
  const files = ['preprocessor_config.json', 'processor_config.json']
    .map((name) => join(folder, name))
    .filter((file) => existsSync(file))
    .map(jsonOf);
  const [first = {}, ...more] = files;
  const input = fromConfig('smolvlm2', first, ...more);
  return defineInput({
    ...input,
    tensors: { ...input.tensors, pixel_attention_mask: { of: 'pixelMask', dtype: 'bool' } },
  });
}

export interface GenerateOptions {
  /** Token ids in front of the frames and behind them: what a tokenizer makes of the question. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly frames?: number;
  readonly newTokens?: number;
}

/** Token ids that the model says about the video: the prompt's, then its own. */
export async function generate(
  hf: TransformersJs,
  folder: string,
  video: VideoInput,
  { before, after, frames = 2, newTokens = 8 }: GenerateOptions,
): Promise<number[]> {
  const name = local(hf, folder);
  const { image_token_id: image } = jsonOf(join(folder, 'config.json')) as {
    image_token_id: number;
  };
  const model = await hf.AutoModelForImageTextToText.from_pretrained(name, OPTIONS);
  using inputs = await modelInputs(video, smolvlmInput(folder), { sample: { count: frames } });
  // As many placeholders as the frames have tokens.
  const placeholders = new Array<number>(inputs.videos[0]?.tokens ?? 0).fill(image);
  const ids = [...before, ...placeholders, ...after];
  const int64 = (values: readonly number[]) =>
    new hf.Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
  const output = await model.generate({
    ...(await toTransformers(hf.Tensor, inputs)),
    input_ids: int64(ids),
    attention_mask: int64(ids.map(() => 1)),
    ...{ max_new_tokens: newTokens, do_sample: false },
  } as never);
  await model.dispose();
  return Array.from((output as { data: BigInt64Array }).data, Number);
}

/** The tiny models in folders as the hub has them. */
export function tinyFolders(parent: string): { clip: string; vlm: string } {
  const place = (
    folder: string,
    configs: Record<string, object>,
    models: Record<string, string>,
  ) => {
    mkdirSync(join(parent, folder, 'onnx'), { recursive: true });
    for (const [name, config] of Object.entries(configs)) {
      writeFileSync(join(parent, folder, `${name}.json`), JSON.stringify(config));
    }
    for (const [name, own] of Object.entries(models)) {
      copyFileSync(modelPath(own), join(parent, folder, 'onnx', `${name}.onnx`));
    }
    return join(parent, folder);
  };
  const sides = { shortest_edge: 36 };
  const clip = place(
    'tiny-clip',
    {
      config: { model_type: 'clip' },
      preprocessor_config: { size: sides, crop_size: { height: 32, width: 32 } },
    },
    { vision_model: 'clip' },
  );
  const text = { model_type: 'llama', num_hidden_layers: 1, hidden_size: 16, vocab_size: 48 };
  const vlm = place(
    'tiny-smolvlm',
    {
      config: {
        ...{ model_type: 'smolvlm', image_token_id: 7, is_encoder_decoder: false },
        text_config: { ...text, num_attention_heads: 2, num_key_value_heads: 2, head_dim: 8 },
      },
      generation_config: { eos_token_id: 0, pad_token_id: 0 },
      preprocessor_config: {
        image_processor_type: 'SmolVLMImageProcessor',
        max_image_size: { longest_edge: 32 },
        size: { longest_edge: 48 },
      },
      processor_config: { processor_class: 'SmolVLMProcessor', image_seq_len: 4 },
    },
    {
      vision_encoder: 'smolvlm-vision',
      embed_tokens: 'smolvlm-embed',
      decoder_model_merged: 'smolvlm-decoder',
    },
  );
  return { clip, vlm };
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { clip: { type: 'string' }, vlm: { type: 'string' } },
  });
  if (positionals.length === 0) throw new Error('Which videos? transformers-js VIDEO...');
  const hf = await import('@huggingface/transformers');
  const tiny = tinyFolders(mkdtempSync(join(tmpdir(), 'tiny-models-')));
  for (const video of positionals) {
    const { dims } = await frameEmbeddings(hf, values.clip ?? tiny.clip, video);
    console.log(`${video}: embeddings [${dims.join(', ')}]`);
    // A real question comes from the model's tokenizer (AutoTokenizer).
    const ids = await generate(hf, values.vlm ?? tiny.vlm, video, { before: [1], after: [2, 3] });
    console.log(`  token ids ${ids.join(' ')}`);
  }
}

if (/transformers-js\.[jt]s$/.test(process.argv[1] ?? '')) {
  main().catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
}
