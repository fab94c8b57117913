/**
 * Inputs of published models, as data. `class` is what the model's own processor class does without a
 * file (transformers 5.18), `published` how the files of its checkpoints differ from that.
 */
import type { Preset } from './preset-types.js';
import type { InputSpec, TensorSpec } from './types.js';

const frames = (name: string): Readonly<Record<string, TensorSpec>> => ({
  [name]: { of: 'pixels', axes: 'n f c Y X' },
});
const images: Readonly<Record<string, TensorSpec>> = {
  pixel_values: { of: 'pixels', axes: '(n f) c Y X' },
};

/** The shorter side to `short`, and a square of `crop` out of the middle. */
const cropped = (short: number, crop: number) => ({ size: { short, crop } }) as const;

const TUBELETS = { patch: { size: 16, frames: 2 } } as const;

const qwen2: InputSpec = {
  sample: {
    count: { fps: 2, min: 4, max: 768, multipleOf: 2 },
    place: 'starts',
    short: 'all',
  },
  size: { area: [100352, 602112], multipleOf: 28 },
  resample: 'bicubic',
  normalize: 'clip',
  patch: { size: 14, frames: 2, merge: 2 },
  tensors: {
    pixel_values_videos: { of: 'pixels', axes: '(n t H W a b) (c s y x)' },
    video_grid_thw: { of: 'grid' },
  },
};

/** GLM's: those of Qwen2-VL over the whole video, and every frame by its time. */
const glm: InputSpec = {
  ...qwen2,
  sample: { as: 'glm-4v', fps: 2, maxSeconds: 300 },
  size: { area: [12544, 47040000], multipleOf: 28, of: 'video' },
  stepTime: 'first',
};

/** Qwen3-VL's processor, which Qwen3.5 has, too. */
const qwen3: InputSpec = {
  ...qwen2,
  sample: { count: { fps: 2, min: 4, max: 768 }, place: 'ends-round', short: 'all' },
  size: { area: [131072, 786432], multipleOf: 32, of: 'video' },
  normalize: 'signed',
  patch: { size: 16, frames: 2, merge: 2 },
};

const PRESETS = {
  videomae: {
    class: {
      sample: { clip: 16, stride: 4 },
      ...cropped(224, 224),
      resample: 'bilinear',
      normalize: 'signed',
      ...TUBELETS,
      tensors: frames('pixel_values'),
    },
    published: { normalize: 'imagenet' },
    accepts: ['videomae'],
    checkpoints: 'MCG-NJU/videomae-*',
  },
  vivit: {
    class: {
      sample: { clip: 32, stride: 2 },
      ...cropped(256, 224),
      resample: 'bilinear',
      normalize: { scale: 1 / 127.5, offset: 1, mean: 0.5, std: 0.5 },
      ...TUBELETS,
      tensors: frames('pixel_values'),
    },
    family: true,
    accepts: ['vivit'],
    checkpoints: 'google/vivit-b-16x2, google/vivit-b-16x2-kinetics400',
  },
  timesformer: {
    class: {
      sample: { clip: 8, stride: 32 },
      ...cropped(224, 224),
      resample: 'bilinear',
      normalize: 'imagenet',
      patch: { size: 16 },
      tensors: frames('pixel_values'),
    },
    published: { normalize: { scale: 1 / 255, mean: 0.45, std: 0.225 } },
    accepts: ['timesformer', 'videomae'],
    checkpoints: 'facebook/timesformer-base-finetuned-*',
  },
  'x-clip': {
    class: {
      sample: { count: 8, place: 'middles' },
      ...cropped(224, 224),
      resample: 'bilinear',
      normalize: 'signed',
      patch: { size: 32 },
      tensors: frames('pixel_values'),
    },
    published: { normalize: 'imagenet' },
    accepts: ['videomae', 'xclip'],
    checkpoints: 'microsoft/xclip-base-patch32',
  },
  'v-jepa-2': {
    class: {
      sample: { clip: 64 },
      ...cropped(292, 256),
      resample: 'bilinear',
      normalize: 'imagenet',
      ...TUBELETS,
      tensors: frames('pixel_values_videos'),
    },
    shortOfCrop: true,
    accepts: ['vjepa2'],
    checkpoints: 'facebook/vjepa2-*-fpc64-256',
  },
  clip: {
    class: {
      sample: { count: 8, place: 'middles' },
      ...cropped(224, 224),
      resample: 'bicubic',
      normalize: 'clip',
      patch: { size: 32 },
      tensors: images,
    },
    accepts: ['clip'],
    checkpoints: 'openai/clip-vit-base-patch32',
  },
  siglip: {
    class: {
      sample: { count: 8, place: 'middles' },
      size: { exact: [224, 224] },
      resample: 'bicubic',
      normalize: 'signed',
      patch: { size: 16 },
      tensors: images,
    },
    accepts: ['siglip'],
    checkpoints: 'google/siglip-base-patch16-224',
  },
  siglip2: {
    class: {
      sample: { count: 8, place: 'middles' },
      size: { patches: 256 },
      resample: 'bilinear',
      normalize: 'signed',
      patch: { size: 16 },
      pad: { patches: 256 },
      tensors: {
        pixel_values: { of: 'pixels', axes: '(n f) (h w) (y x c)' },
        pixel_attention_mask: { of: 'mask', dtype: 'int32' },
        spatial_shapes: { of: 'spatialShapes' },
      },
    },
    accepts: ['siglip2'],
    checkpoints: 'google/siglip2-*-naflex',
  },
  dinov2: {
    class: {
      sample: { count: 8, place: 'middles' },
      ...cropped(224, 224),
      resample: 'bicubic',
      normalize: 'clip',
      patch: { size: 14 },
      tensors: images,
    },
    published: { ...cropped(256, 224), normalize: 'imagenet' },
    accepts: ['bit'],
    checkpoints: 'facebook/dinov2-*',
  },
  'qwen2-vl': {
    class: qwen2,
    published: { size: { area: [3136, 12845056], multipleOf: 28 } },
    sampling: 'qwen2',
    accepts: ['qwen2vl'],
    checkpoints: 'Qwen/Qwen2-VL-*-Instruct',
  },
  'qwen2.5-vl': {
    class: {
      ...qwen2,
      tensors: { ...qwen2.tensors, second_per_grid_ts: { of: 'secondsPerStep' } },
    },
    published: { size: { area: [3136, 12845056], multipleOf: 28 } },
    sampling: 'qwen2',
    accepts: ['qwen2vl'],
    checkpoints: 'Qwen/Qwen2.5-VL-*-Instruct',
  },
  'qwen3-vl': {
    class: qwen3,
    published: { size: { area: [4096, 25165824], multipleOf: 32, of: 'video' } },
    sampling: 'qwen3',
    accepts: ['qwen3vl', 'qwen2vl'],
    needsVideoFile: true,
    checkpoints: 'Qwen/Qwen3-VL-*',
  },
  'qwen3.5': {
    class: qwen3,
    family: true,
    sampling: 'qwen3',
    accepts: ['qwen3vl', 'qwen2vl'],
    needsVideoFile: true,
    checkpoints: 'Qwen/Qwen3.5-*',
  },
  'glm-4v': {
    class: glm,
    sampling: 'glm-4v',
    accepts: ['glm4v'],
    needsVideoFile: true,
    checkpoints: 'zai-org/GLM-4.1V-9B-Thinking',
  },
  'glm-4.6v': {
    class: { ...glm, sample: { as: 'glm-4.6v', framesPerStep: 2 } },
    family: true,
    sampling: 'glm-4.6v',
    accepts: ['glm46v'],
    needsVideoFile: true,
    checkpoints: 'zai-org/GLM-4.6V',
  },
  'gemma-4': {
    class: {
      sample: { count: 32, place: 'starts', short: 'all' },
      size: { patches: 630, multipleOf: 48 },
      resample: 'bicubic',
      normalize: { scale: 1 / 255, mean: 0, std: 1 },
      patch: { size: 16, merge: 3 },
      pad: { patches: 630 },
      tensors: {
        pixel_values_videos: { of: 'pixels', axes: 'n f (h w) (y x c)' },
        video_position_ids: { of: 'positions', coordinates: ['column', 'row'], fill: -1 },
      },
    },
    sampling: 'default',
    patchKeys: { size: 'patch_size', merge: 'pooling_kernel_size' },
    tokenKeys: { max: 'max_soft_tokens' },
    accepts: ['gemma4'],
    needsVideoFile: true,
    checkpoints: 'google/gemma-4-*-it',
  },
  'lfm2-vl': {
    class: {
      sample: { count: 8, place: 'middles' },
      size: { area: [65536, 262144], multipleOf: 32, branch: 'factor-first' },
      resample: 'bilinear',
      normalize: 'signed',
      patch: { size: 16, merge: 2 },
      pad: { patches: 1024 },
      tensors: {
        pixel_values: { of: 'pixels', axes: '(n f) (h w) (y x c)' },
        pixel_attention_mask: { of: 'mask', dtype: 'int32' },
        spatial_shapes: { of: 'spatialShapes' },
      },
    },
    published: { resample: 'bicubic' },
    patchKeys: { size: 'encoder_patch_size', merge: 'downsample_factor' },
    tokenKeys: { min: 'min_image_tokens', max: 'max_image_tokens' },
    accepts: ['lfm2vl'],
    checkpoints: 'LiquidAI/LFM2-VL-*',
  },
  smolvlm2: {
    class: {
      sample: {
        count: { fps: 1, max: 64, round: 'nearest' },
        place: 'linspace',
        trim: 1,
        unique: true,
      },
      size: [{ long: 1456, even: true }, { exact: [364, 364] }],
      resample: 'lanczos',
      normalize: 'signed',
      tensors: {
        pixel_values: { of: 'pixels', axes: 'n f c Y X' },
        pixel_attention_mask: { of: 'pixelMask' },
      },
    },
    family: true,
    sampling: 'smolvlm',
    accepts: ['smolvlm', 'idefics3'],
    checkpoints: 'HuggingFaceTB/SmolVLM2-*',
  },
  internvl: {
    class: {
      sample: { count: 8, place: 'middles' },
      size: { exact: [384, 384] },
      resample: 'bicubic',
      normalize: 'clip',
      patch: { size: 14, merge: 2 },
      tensors: frames('pixel_values_videos'),
    },
    published: { size: { exact: [448, 448] }, normalize: 'imagenet' },
    sampling: 'internvl',
    accepts: ['internvl', 'gotocr2'],
    imageFileWins: true,
    checkpoints: 'OpenGVLab/InternVL3-*-hf',
  },
  'llava-onevision': {
    class: {
      sample: { count: 32, place: 'linspace' },
      size: { exact: [384, 384] },
      resample: 'bicubic',
      normalize: 'clip',
      patch: { size: 14 },
      tokensPerStep: 196,
      tensors: frames('pixel_values_videos'),
    },
    published: { normalize: 'signed' },
    sampling: 'default',
    accepts: ['llavaonevision'],
    checkpoints: 'llava-hf/llava-onevision-qwen2-*-ov-hf',
  },
  'llava-next-video': {
    class: {
      sample: { count: { fps: 1, max: 32 }, place: 'every' },
      ...cropped(224, 224),
      resample: 'bicubic',
      normalize: 'clip',
      patch: { size: 14, merge: 2 },
      tensors: frames('pixel_values_videos'),
    },
    published: cropped(336, 336),
    sampling: 'default',
    accepts: ['llavanextvideo', 'llavanext'],
    checkpoints: 'llava-hf/LLaVA-NeXT-Video-7B-hf',
  },
  'video-llava': {
    class: {
      sample: { count: 8, place: 'starts' },
      ...cropped(224, 224),
      resample: 'bicubic',
      normalize: 'clip',
      patch: { size: 14 },
      tokensPerStep: 257,
      tensors: frames('pixel_values_videos'),
    },
    sampling: 'default',
    accepts: ['videollava'],
    checkpoints: 'LanguageBind/Video-LLaVA-7B-hf',
  },
  videollama3: {
    class: {
      sample: { count: { fps: 1, min: 4, max: 180 }, place: 'starts', short: 'all' },
      size: { area: [100352, 602112], multipleOf: 28, maxOverFrames: true },
      resample: 'bicubic',
      normalize: 'signed',
      patch: { size: 14, merge: 2 },
      tensors: {
        pixel_values_videos: { of: 'pixels', axes: '(n f H W a b) (c y x)' },
        video_grid_thw: { of: 'grid' },
        video_merge_sizes: { of: 'mergeSizes' },
        video_compression_mask: { of: 'changeMask' },
      },
    },
    published: { size: { area: [12544, 12845056], multipleOf: 28, maxOverFrames: true } },
    sampling: 'qwen2',
    accepts: ['videollama3'],
    needsVideoFile: true,
    checkpoints: 'lkhl/VideoLLaMA3-*-HF',
  },
  'llava-onevision-2': {
    class: {
      sample: {
        count: [
          [10, 8],
          [30, 16],
          [31, 384],
        ],
        place: 'ends-round',
        short: 'all',
      },
      size: { area: [200704, 1605632], multipleOf: 28, branch: 'factor-first' },
      resample: 'bicubic',
      normalize: 'clip',
      patch: { size: 14, merge: 2 },
      tensors: {
        pixel_values: { of: 'pixels', axes: '(n f H W a b) (c y x)' },
        image_grid_thw: { of: 'grid', per: 'frame' },
        patch_positions: { of: 'positions', time: 'source' },
      },
    },
    sampling: 'default',
    accepts: ['qwen2vl', 'llavaonevision2'],
    checkpoints: 'lmms-lab-encoder/LLaVA-OneVision-2-8B-Instruct',
  },
  'onevision-encoder': {
    class: {
      sample: { count: 16, place: 'linspace' },
      ...cropped(224, 224),
      resample: 'bicubic',
      normalize: 'clip',
      patch: { size: 14 },
      tensors: {
        pixel_values: { of: 'pixels', axes: 'n c f Y X' },
        visible_indices: { of: 'indices', axes: 'n (f h w)', frames: 64 },
      },
    },
    accepts: ['clip'],
    checkpoints: 'lmms-lab-encoder/onevision-encoder-large, at 224 pixels',
  },
  'onevision-encoder-codec': {
    class: {
      sample: { count: 64, place: 'linspace', short: 'repeat-last' },
      ...cropped(224, 224),
      resample: 'bicubic',
      normalize: 'clip',
      patch: { size: 14 },
      select: { kKeep: { frames: 8 }, wholeFrames: 'first', keyFramePatches: 'compete' },
      tensors: {
        pixel_values: { of: 'pixels', axes: 'n c F (h y) (w x)' },
        visible_indices: { of: 'indices', frames: 64 },
      },
    },
    accepts: ['clip'],
    checkpoints: 'lmms-lab-encoder/onevision-encoder-large, at 224 pixels',
  },
} as const satisfies Record<string, Preset>;

/** A model whose input is known by name (docs/models.md). */
export type PresetName = keyof typeof PRESETS;

export const presetTable: Readonly<Record<PresetName, Preset>> = PRESETS;
