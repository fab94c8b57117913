/**
 * Asks a vision-language model behind a server with OpenAI's chat API (vLLM, SGLang, llama.cpp, Ollama and
 * others have one) about a video: some frames as JPEG, each with its time.
 *
 *   npm run example vlm-server -- VIDEO "What happens?" [--url http://localhost:8000/v1] [--model NAME]
 *     [--fps 1] [--max 16] [--side 768]
 *
 * OPENAI_API_KEY is sent where it is set. Needs sharp.
 */
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { decodeOnly } from 'codec-patch-stream';
import type { VideoInput } from 'codec-patch-stream';

export interface TimedPicture {
  /** Since the first frame of the video. */
  readonly seconds: number;
  readonly jpeg: Buffer;
}

export interface FrameOptions {
  /** Frames per second (1), and how many at most (16). */
  readonly fps?: number;
  readonly max?: number;
  /** The longer side of the pictures, in pixels. Default: 768. */
  readonly side?: number;
  /** 1..100. Default: 85. */
  readonly quality?: number;
  readonly signal?: AbortSignal;
}

/** Frames spread over the video, as files and with their times. */
export async function timedPictures(
  videoPath: VideoInput,
  { fps = 1, max = 16, side = 768, quality = 85, signal }: FrameOptions = {},
): Promise<TimedPicture[]> {
  using decoded = await decodeOnly({
    ...{ videoPath, signal },
    sample: { count: { fps, min: 2, max }, place: 'middles', short: 'all' },
    size: { long: side },
  });
  const [, height = 0, width = 0] = decoded.frames.shape;
  const bytes = await decoded.frames.toHost();
  const size = height * width * 3;
  const raw = { width, height, channels: 3 } as const;
  return Promise.all(
    Array.from(decoded.secondsFromStart, async (seconds, i) => {
      const picture = bytes.subarray(i * size, (i + 1) * size);
      return { seconds, jpeg: await sharp(picture, { raw }).jpeg({ quality }).toBuffer() };
    }),
  );
}

type Part =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image_url'; readonly image_url: { readonly url: string } };

/** What a user's message is made of: the time of each picture, the picture, and at last the question. */
export function messageParts(pictures: readonly TimedPicture[], question: string): Part[] {
  const parts = pictures.flatMap(({ seconds, jpeg }): Part[] => [
    { type: 'text', text: `<${seconds.toFixed(1)} seconds>` },
    {
      type: 'image_url',
      image_url: { url: `data:image/jpeg;base64,${jpeg.toString('base64')}` },
    },
  ]);
  return [...parts, { type: 'text', text: question }];
}

export interface AskOptions extends FrameOptions {
  /** Of the API, with the version: http://localhost:8000/v1. */
  readonly url: string;
  /** As the server calls it. */
  readonly model: string;
  readonly apiKey?: string | undefined;
}

/** The model's answer; an error with the server's own words where it gives none. */
export async function ask(
  video: VideoInput,
  question: string,
  { url, model, apiKey, ...frames }: AskOptions,
): Promise<string> {
  const pictures = await timedPictures(video, frames);
  const response = await fetch(`${url.replace(/\/$/, '')}/chat/completions`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
    },
    body: JSON.stringify({
      model,
      messages: [{ role: 'user', content: messageParts(pictures, question) }],
      max_tokens: 256,
    }),
    ...(frames.signal ? { signal: frames.signal } : {}),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text.slice(0, 500)}`);
  const answer = JSON.parse(text) as {
    choices?: readonly { message?: { content?: string | null } }[];
  };
  const content = answer.choices?.[0]?.message?.content;
  if (typeof content !== 'string') throw new Error(`${url} gave no answer: ${text.slice(0, 500)}`);
  return content;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      url: { type: 'string', default: 'http://localhost:8000/v1' },
      model: { type: 'string', default: 'default' },
      fps: { type: 'string', default: '1' },
      max: { type: 'string', default: '16' },
      side: { type: 'string', default: '768' },
    },
  });
  const [video, question = 'Describe the video.'] = positionals;
  if (video === undefined) throw new Error('Which video? vlm-server VIDEO "QUESTION" [--url URL]');
  const answer = await ask(video, question, {
    ...{ url: values.url, model: values.model, apiKey: process.env['OPENAI_API_KEY'] },
    ...{ fps: Number(values.fps), max: Number(values.max), side: Number(values.side) },
  });
  console.log(answer);
}

if (/vlm-server\.[jt]s$/.test(process.argv[1] ?? '')) {
  main().catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
}
