/** The pictures of one video, resized, 8-bit: what all tensors of an input are made of. */
import { decodeOnly } from '../api/decoded-frames.js';
import type { DecodedFrames } from '../api/decoded-frames.js';
import { patchStream } from '../api/patch-stream.js';
import type { PatchStream } from '../api/patch-stream.js';
import { openVideo } from '../api/video.js';
import type { Video, VideoInput } from '../api/video.js';
import type { WindowSpan } from '../api/windows.js';
import type { PatchStreamConfig } from '../options/config.js';
import { parsePatchStream } from '../options/records.js';
import { invalid } from '../support/is.js';
import { isObject } from './define.js';
import type { ParsedInput } from './define.js';
import { givenPictures, isGiven } from './given-frames.js';
import type { GivenFrames } from './given-frames.js';
import { isModelSample, modelSampleIds } from './model-sample.js';
import { frameOptions, gridOf, memoryOf, pictureOptions } from './picture-options.js';
import type { PictureOptions, Pictures } from './picture-options.js';
import type { ModelSample } from './types.js';

async function fromFrames(
  frames: DecodedFrames,
  input: ParsedInput,
  { onDevice }: PictureOptions,
): Promise<Pictures> {
  const [count = 0, height = 0, width = 0] = frames.frames.shape;
  const { memory, byteOffset, own } = await memoryOf(frames.frames, onDevice);
  const { sampledFrameIds: ids, fps, totalFrames } = frames;
  return {
    memory,
    units: 'frames',
    firstUnit: byteOffset / Math.max(1, 3 * height * width),
    count,
    grid: gridOf(input, { frames: count, height, width, selected: 0 }),
    ids,
    seconds: ids.map((id) => id / fps),
    secondsPerFrame: totalFrames / (count * fps),
    selected: [],
    notes: frames.notes,
    close: () => {
      if (own) memory.release();
      frames.close();
    },
  };
}

async function fromPatches(
  stream: PatchStream,
  input: ParsedInput,
  { onDevice }: PictureOptions,
): Promise<Pictures> {
  const { patches, length, sampledFrameIds: ids, fps, totalFrames } = stream;
  const { memory, byteOffset, own } = await memoryOf(patches, onDevice);
  const { height, width } = stream.targetSize;
  const side = input.patch.size;
  return {
    memory,
    units: 'patches',
    firstUnit: byteOffset / (3 * side * side),
    count: length,
    grid: gridOf(input, { frames: ids.length, height, width, selected: length }),
    ids,
    seconds: ids.map((id) => id / fps),
    secondsPerFrame: totalFrames / (ids.length * fps),
    selected: stream.metadata.map(({ seqPos: frame, patchHIdx: row, patchWIdx: column }) => ({
      ...{ frame, row, column },
    })),
    notes: stream.notes,
    close: () => {
      if (own) memory.release();
      stream.close();
    },
  };
}

const needsInfo = ({ spec: { size } }: ParsedInput): boolean => isObject(size) && 'patches' in size;

/** Options in which a model's own rule of frames has become the frames of `video`. */
function withFrames(options: PictureOptions, sample: ModelSample, { info }: Video): PictureOptions {
  const rate = info.fps > 0 ? info.fps : 24;
  const indices = modelSampleIds(sample, info.totalFrames, rate);
  return { ...options, sample: { indices } };
}

/** The options of patchStream for the patches that `input` selects, 8-bit. */
function patchOptions(
  input: ParsedInput,
  options: PictureOptions,
): Omit<PatchStreamConfig, 'videoPath'> {
  const { spec, patch } = input;
  const size = spec.size as PatchStreamConfig['size'];
  return {
    ...options.decoding,
    ...pictureOptions(input, options.sample),
    ...spec.select,
    ...options.select,
    ...(size === undefined ? {} : { size }),
    ...{ patchSize: patch.size, layout: 'nhwc', outputDtype: 'uint8' },
  };
}

/** Throws for options of decoding that contradict the description's selection, before any video is known. */
export function checkSelecting(input: ParsedInput, options: PictureOptions): void {
  if (input.spec.select === undefined) return;
  // A model's own rule becomes indices, video by video.
  const sample = isModelSample(input.spec.sample) ? { indices: [0] } : undefined;
  parsePatchStream({
    ...patchOptions(input, { ...options, sample }),
    videoPath: new Uint8Array(1),
  });
}

/** Decodes what `input` needs of `video`. */
export async function picturesOf(
  video: VideoInput | GivenFrames,
  input: ParsedInput,
  options: PictureOptions,
): Promise<Pictures> {
  if (isGiven(video)) return givenPictures(video, input, options);
  const { sample } = input.spec;
  if (options.sample === undefined && isModelSample(sample)) {
    const opened = await openVideo(video, options.decoding);
    try {
      return await picturesOf(opened, input, withFrames(options, sample, opened));
    } finally {
      opened.close();
    }
  }
  if (input.spec.select !== undefined) {
    return fromPatches(
      await patchStream({ ...patchOptions(input, options), videoPath: video }),
      input,
      options,
    );
  }
  let opened: Video | undefined;
  try {
    if (needsInfo(input)) opened = await openVideo(video, options.decoding);
    const info = () => (opened as Video).info;
    const config = frameOptions(input, options, info);
    return await fromFrames(
      await decodeOnly({ ...config, videoPath: opened ?? video }),
      input,
      options,
    );
  } finally {
    opened?.close();
  }
}

/** The pictures of each window of `video`; the next one decodes while one is used. */
export async function* windowsOfVideo(
  video: Video,
  span: WindowSpan,
  input: ParsedInput,
  options: PictureOptions,
): AsyncGenerator<Pictures, void> {
  const { signal } = options.decoding;
  const { sample } = input.spec;
  if (options.sample === undefined && isModelSample(sample)) {
    throw invalid('sample', 'a rule of option sample (with windows)', sample);
  }
  if (input.spec.select !== undefined) {
    const config = { ...patchOptions(input, options), of: 'patches', signal } as const;
    for await (const window of video.windows(span, config))
      yield await fromPatches(window, input, options);
    return;
  }
  const config = {
    ...frameOptions(input, options, () => video.info),
    of: 'frames',
    signal,
  } as const;
  for await (const window of video.windows(span, config))
    yield await fromFrames(window, input, options);
}
