/**
 * What a vision-language model needs of a video: its tensors, and a prompt with as many placeholders as
 * there are tokens, each step with its time.
 *
 *   npm run example vlm-inputs -- VIDEO [--model NAME] [--config FILE]...
 *
 * NAME: qwen2-vl, qwen2.5-vl (which is taken unless it says so), qwen3-vl, qwen3.5, glm-4v, glm-4.6v, gemma-4,
 * smolvlm2, videollama3.
 *
 * The files are the checkpoint's own (preprocessor_config.json, video_preprocessor_config.json,
 * processor_config.json); without any the constants of the published checkpoints are taken.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fromConfig, modelInputs } from 'codec-patch-stream/inputs';
import type { InputVideo, ModelInput, PresetName } from 'codec-patch-stream/inputs';

const minutes = (seconds: number): string =>
  `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;

/** One decimal as Python writes it: of halves, which a quarter of a second is, the even one. */
const oneDecimal = (seconds: number): string =>
  (seconds % 1 === 0.25 ? seconds - 0.05 : seconds).toFixed(1);

/** The part of the prompt that stands for the video, as the models' own processors write it. */
export function promptOf(model: PresetName, { steps, tokens }: InputVideo): string {
  switch (model) {
    case 'qwen3-vl':
    case 'qwen3.5':
      return steps
        .map(
          ({ seconds, tokens: n }) =>
            `<${oneDecimal(seconds)} seconds><|vision_start|>${'<|video_pad|>'.repeat(n)}<|vision_end|>`,
        )
        .join('');
    case 'videollama3':
      return steps
        .map(({ seconds, tokens: n }) => `Time ${oneDecimal(seconds)}s:${'<image>'.repeat(n)}`)
        .join(',');
    case 'glm-4v':
    case 'glm-4.6v':
      return steps
        .map(({ seconds, tokens: n }) => {
          const time =
            model === 'glm-4v' ? String(Math.floor(seconds)) : `${oneDecimal(seconds)} seconds`;
          return `<|begin_of_image|>${'<|image|>'.repeat(n)}<|end_of_image|>${time}`;
        })
        .join('');
    case 'gemma-4':
      return steps
        .map(
          ({ seconds, tokens: n }) =>
            `${minutes(seconds)} <|image>${'<|video|>'.repeat(n)}<image|>`,
        )
        .join(' ');
    case 'smolvlm2':
      return steps
        .map(
          ({ seconds, tokens: n }) =>
            `\nFrame from ${minutes(seconds)}:<fake_token_around_image><global-img>` +
            `${'<image>'.repeat(n)}<fake_token_around_image>`,
        )
        .join('');
    default:
      // Qwen2-VL and 2.5-VL: one block; 2.5 has the time in second_per_grid_ts.
      return `<|vision_start|>${'<|video_pad|>'.repeat(tokens)}<|vision_end|>`;
  }
}

/** A prompt with its runs of placeholders counted, so that it can be read. */
export const shortened = (prompt: string): string =>
  prompt.replace(
    /(<[^<>]+>)\1{2,}/g,
    (run, token: string) => `${token}×${run.length / token.length}`,
  );

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      model: { type: 'string', default: 'qwen2.5-vl' },
      config: { type: 'string', multiple: true, default: [] },
    },
  });
  const [video] = positionals;
  if (video === undefined) throw new Error('Which video? vlm-inputs VIDEO [--model NAME]');
  const model = values.model as PresetName;
  const files = values.config.map((file) => JSON.parse(readFileSync(file, 'utf8')) as object);
  const [first, ...more] = files;
  const input: ModelInput = first === undefined ? model : fromConfig(model, first, ...more);
  const inputs = await modelInputs(video, input);
  for (const [name, { dtype, shape }] of Object.entries(inputs.tensors)) {
    console.log(`${name}: ${dtype} [${shape.join(', ')}]`);
  }
  const [one] = inputs.videos;
  if (one) {
    console.log(`frames ${one.frames.map(({ id }) => id).join(' ')}`);
    console.log(`prompt: ${shortened(promptOf(model, one))} Describe the video.`);
  }
  inputs.close();
}

if (/vlm-inputs\.[jt]s$/.test(process.argv[1] ?? '')) {
  main().catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
}
