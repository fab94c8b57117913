/**
 * fromConfig on files as checkpoints have them: small ones with each of their peculiarities. What it
 * gives must follow from the file and, where the file is silent, from the processor's class.
 */
import fc from 'fast-check';
import { CodecPatchStreamError } from '../../src/index.js';
import { defineInput, fromConfig, presets } from '../../src/inputs/index.js';
import type { InputSpec, PresetName } from '../../src/inputs/index.js';

const CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073];
const CLIP_STD = [0.26862954, 0.26130258, 0.27577711];
const IMAGENET_MEAN = [0.485, 0.456, 0.406];
const IMAGENET_STD = [0.229, 0.224, 0.225];
const HALF = [0.5, 0.5, 0.5];
const scale = 1 / 255;

type Part = Partial<Record<keyof InputSpec, unknown>>;
const check = (name: PresetName, files: readonly object[], expected: Part): void => {
  const [first = {}, ...more] = files;
  const input = fromConfig(name, first, ...more);
  expect(input).toMatchObject(expected);
  if (!('notes' in expected)) expect(input.notes).toBeUndefined();
};

describe('files as they are published', () => {
  test('a plain number as size, an old class name, no crop and no rescale (VideoMAE, X-CLIP)', () => {
    const file = {
      do_center_crop: true,
      do_normalize: true,
      do_resize: true,
      feature_extractor_type: 'VideoMAEFeatureExtractor',
      image_mean: IMAGENET_MEAN,
      image_std: IMAGENET_STD,
      resample: 2,
      size: 224,
    };
    const values = { normalize: { scale, mean: IMAGENET_MEAN, std: IMAGENET_STD } };
    check('videomae', [file], { size: { short: 224, crop: 224 }, resample: 'bilinear', ...values });
    const large = { ...file, size: 336, processor_class: 'XCLIPProcessor' };
    check('x-clip', [large], { size: { short: 336, crop: 336 }, ...values });
  });

  test('one class in the file of another model (TimeSformer), odd casing and both of ViViT', () => {
    const timesformer = {
      crop_size: { height: 448, width: 448 },
      do_center_crop: true,
      image_mean: [0.45, 0.45, 0.45],
      image_processor_type: 'VideoMAEImageProcessor',
      image_std: [0.225, 0.225, 0.225],
      resample: 2,
      rescale_factor: 0.00392156862745098,
      size: { shortest_edge: 448 },
    };
    check('timesformer', [timesformer], {
      size: { short: 448, crop: 448 },
      normalize: { scale, mean: [0.45, 0.45, 0.45], std: [0.225, 0.225, 0.225] },
    });
    const kinetics = {
      image_processor_type: 'ViViTImageProcessor',
      crop_size: { height: 224, width: 224 },
      do_normalize: true,
      image_mean: HALF,
      image_std: HALF,
      resample: 2,
      rescale_factor: 1 / 127.5,
      size: { shortest_edge: 224 },
    };
    check('vivit', [kinetics], {
      size: { short: 224, crop: 224 },
      normalize: { scale: 1 / 127.5, offset: 1, mean: HALF, std: HALF },
    });
    const plain = {
      image_processor_type: 'VivitImageProcessor',
      do_normalize: false,
      do_zero_centering: true,
      rescale_factor: 1 / 127.5,
      size: { shortest_edge: 256 },
      crop_size: { height: 224, width: 224 },
    };
    check('vivit', [plain], {
      size: { short: 256, crop: 224 },
      resample: 'bilinear',
      normalize: { scale: 1 / 127.5, offset: 1, mean: 0, std: 1 },
    });
    check('vivit', [{ ...plain, offset: false }], { normalize: { scale: 1 / 127.5, offset: 0 } });
  });

  test('areas under the names of sides, where the class means areas', () => {
    const qwen = {
      min_pixels: 3136,
      max_pixels: 12845056,
      patch_size: 14,
      temporal_patch_size: 2,
      merge_size: 2,
      image_mean: CLIP_MEAN,
      image_std: CLIP_STD,
      image_processor_type: 'Qwen2VLImageProcessor',
      processor_class: 'Qwen2_5_VLProcessor',
    };
    check('qwen2.5-vl', [qwen], {
      size: { area: [3136, 12845056], multipleOf: 28 },
      resample: 'bicubic',
      sample: presets['qwen2.5-vl'].sample,
      normalize: { scale, mean: CLIP_MEAN, std: CLIP_STD },
    });
    const qwen3 = {
      size: { longest_edge: 25165824, shortest_edge: 4096 },
      patch_size: 16,
      temporal_patch_size: 2,
      merge_size: 2,
      image_mean: HALF,
      image_std: HALF,
      video_processor_type: 'Qwen3VLVideoProcessor',
    };
    const images = {
      ...qwen3,
      size: { longest_edge: 16777216, shortest_edge: 65536 },
      video_processor_type: undefined,
      image_processor_type: 'Qwen2VLImageProcessorFast',
    };
    const expected = {
      size: { area: [4096, 25165824], multipleOf: 32, of: 'video' },
      patch: { size: 16, frames: 2, merge: 2 },
    };
    check('qwen3-vl', [qwen3], expected);
    // The file of videos counts, in whatever order they come.
    check('qwen3-vl', [images, qwen3], expected);
    check('qwen3-vl', [qwen3, images], expected);
    expect(() => fromConfig('qwen3-vl', images)).toThrow(/video_preprocessor_config.json/);
  });

  test('bounds that are written twice, keys that are null, other rules of the class (VideoLLaMA 3)', () => {
    const video = {
      crop_size: null,
      do_sample_frames: false,
      fps: null,
      num_frames: null,
      image_mean: HALF,
      image_std: HALF,
      max_frames: 180,
      min_frames: 4,
      max_pixels: 12845056,
      min_pixels: 12544,
      merge_size: 2,
      patch_size: 14,
      temporal_patch_size: 1,
      resample: 3,
      size: { longest_edge: 12845056, shortest_edge: 12544 },
      use_token_compression: true,
      video_processor_type: 'VideoLlama3VideoProcessor',
    };
    check('videollama3', [video], {
      size: { area: [12544, 12845056], multipleOf: 28, maxOverFrames: true },
      sample: { count: { fps: 1, min: 4, max: 180 }, place: 'starts', short: 'all' },
    });
    expect(() => fromConfig('videollama3', { ...video, min_pixels: 5 })).toThrow(
      /Expected 12544, as size says, for min_pixels but received 5/,
    );
  });

  test('nested settings of videos, tokens from another file (SmolVLM2)', () => {
    const file = {
      image_processor_type: 'SmolVLMImageProcessor',
      do_image_splitting: true,
      image_mean: HALF,
      image_std: HALF,
      max_image_size: { longest_edge: 384 },
      resample: 1,
      video_sampling: { fps: 1, max_frames: 48, video_size: { longest_edge: 380 } },
    };
    const expected = {
      size: [{ long: 380, even: true }, { exact: [384, 384] }],
      resample: 'lanczos',
      sample: {
        count: { fps: 1, max: 48, round: 'nearest' },
        place: 'linspace',
        trim: 1,
        unique: true,
      },
    };
    const notes = [expect.stringContaining('image_seq_len')];
    check('smolvlm2', [file], { ...expected, notes });
    check('smolvlm2', [file, { image_seq_len: 81, processor_class: 'SmolVLMProcessor' }], {
      ...expected,
      tokensPerStep: 81,
    });
    // The class takes `size` where both are there.
    const both = { ...file, size: { longest_edge: 1536 } };
    check('smolvlm2', [both], { size: [{ long: 1536, even: true }, { exact: [384, 384] }], notes });
  });

  test('Gemma 4: the part of processor_config.json that is about videos', () => {
    const values = {
      image_mean: [0, 0, 0],
      image_std: [1, 1, 1],
      rescale_factor: scale,
      resample: 3,
    };
    const patches = { patch_size: 16, pooling_kernel_size: 3 };
    const file = {
      image_processor: {
        ...{ ...values, ...patches, image_processor_type: 'Gemma4ImageProcessor' },
        ...{ do_normalize: false, image_seq_length: 280, max_soft_tokens: 280 },
      },
      image_seq_length: 280,
      processor_class: 'Gemma4Processor',
      video_processor: {
        ...{ ...values, ...patches, video_processor_type: 'Gemma4VideoProcessor' },
        ...{ do_sample_frames: true, max_soft_tokens: 70, num_frames: 32, return_metadata: false },
      },
    };
    check('gemma-4', [file], {
      sample: { count: 32, place: 'starts', short: 'all' },
      size: { patches: 630, multipleOf: 48 },
      pad: { patches: 630 },
      patch: { size: 16, merge: 3 },
      normalize: { scale, mean: [0, 0, 0], std: [1, 1, 1] },
    });
    expect(() => fromConfig('gemma-4', file.image_processor)).toThrow(/the file of its images/);
    const other = { ...file.video_processor, max_soft_tokens: 140, pooling_kernel_size: 2 };
    check('gemma-4', [other], { size: { patches: 560, multipleOf: 32 }, pad: { patches: 560 } });
  });

  test('LFM2-VL: bounds in tokens, keys of its own, tiles that are noted', () => {
    const file = {
      ...{ image_processor_type: 'Lfm2VlImageProcessorFast', do_resize: false, resample: 3 },
      ...{ image_mean: HALF, image_std: HALF, encoder_patch_size: 16, patch_size: 16 },
      ...{ downsample_factor: 2, min_image_tokens: 64, max_image_tokens: 256, tile_size: 512 },
      ...{ size: { height: 512, width: 512 }, max_num_patches: 1024, do_image_splitting: true },
      ...{ min_tiles: 2, max_tiles: 10, max_pixels_tolerance: 2, return_row_col_info: true },
    };
    const expected = {
      size: { area: [65536, 262144], multipleOf: 32, branch: 'factor-first' },
      pad: { patches: 1024 },
      patch: { size: 16, merge: 2 },
      resample: 'bicubic',
    };
    check('lfm2-vl', [file], {
      ...expected,
      notes: [expect.stringContaining('do_image_splitting')],
    });
    const whole = { ...file, do_image_splitting: false, max_image_tokens: 100 };
    check('lfm2-vl', [whole], {
      size: { area: [65536, 102400], multipleOf: 32, branch: 'factor-first' },
      pad: { patches: 400 },
    });
    expect(fromConfig('lfm2-vl', whole).notes).toBeUndefined();
    expect(() => fromConfig('lfm2-vl', { ...file, do_pad: false })).toThrow(/true .* for do_pad/);
    expect(() => fromConfig('lfm2-vl', { ...file, min_image_tokens: 300 })).toThrow(
      /<= max_image_tokens \(256\) for min_image_tokens/,
    );
  });

  test('GLM: areas of the whole video, frames by their times; the file of pictures is refused', () => {
    const file = {
      ...{ video_processor_type: 'Glm4vVideoProcessor', patch_size: 14, temporal_patch_size: 2 },
      ...{ size: { shortest_edge: 12544, longest_edge: 47040000 }, merge_size: 2 },
      ...{
        image_mean: CLIP_MEAN,
        image_std: CLIP_STD,
        do_sample_frames: true,
        fps: 2,
        num_frames: 16,
      },
    };
    check('glm-4v', [file], {
      sample: { as: 'glm-4v', fps: 2, maxSeconds: 300 },
      size: { area: [12544, 47040000], multipleOf: 28, of: 'video', framesPerStep: 2 },
      stepTime: 'first',
    });
    check('glm-4v', [{ ...file, fps: 1, max_duration: 60 }], {
      sample: { as: 'glm-4v', fps: 1, maxSeconds: 60 },
    });
    const image = { size: file.size, image_processor_type: 'Glm46VImageProcessor' };
    expect(() => fromConfig('glm-4.6v', image)).toThrow(/the file of its images/);
    check('glm-4.6v', [{ ...file, video_processor_type: 'Glm46VVideoProcessor' }], {
      sample: { as: 'glm-4.6v', framesPerStep: 2 },
    });
    expect(() => fromConfig('glm-4v', { ...file, fps: 0 })).toThrow(/for fps/);
  });

  test('part of processor_config.json, a class that normalises by 0 and 1', () => {
    const nested = {
      image_processor: { image_processor_type: 'LlavaOnevisionImageProcessor', size: 999 },
      video_processor: {
        video_processor_type: 'LlavaOnevisionVideoProcessor',
        do_normalize: false,
        size: { height: 384, width: 384 },
        num_frames: 12,
      },
      processor_class: 'LlavaOnevisionProcessor',
    };
    check('llava-onevision', [nested], {
      size: { exact: [384, 384] },
      sample: { count: 12, place: 'starts', short: 'all' },
      normalize: { scale, offset: 0, mean: 0, std: 1 },
    });
  });

  test('InternVL 3.5: the file of images is right', () => {
    const image = {
      image_processor_type: 'GotOcr2ImageProcessorFast',
      crop_to_patches: false,
      do_center_crop: null,
      image_mean: IMAGENET_MEAN,
      image_std: IMAGENET_STD,
      resample: 3,
      size: { height: 448, width: 448 },
    };
    const values = { normalize: { scale, mean: IMAGENET_MEAN, std: IMAGENET_STD } };
    check('internvl', [image], { size: { exact: [448, 448] }, ...values });
    const video = {
      ...image,
      image_processor_type: undefined,
      video_processor_type: 'InternVLVideoProcessor',
      image_mean: CLIP_MEAN,
      image_std: CLIP_STD,
      size: { height: 384, width: 384 },
    };
    const notes = [expect.stringContaining('differ in size, image_mean, image_std')];
    check('internvl', [image, video], { size: { exact: [448, 448] }, ...values, notes });
    check('internvl', [video], { size: { exact: [384, 384] } });
  });

  test('crops and sides of CLIP, SigLIP, SigLIP 2, V-JEPA 2, DINOv2', () => {
    check('clip', [{ feature_extractor_type: 'CLIPFeatureExtractor', size: 336, crop_size: 336 }], {
      size: { short: 336, crop: 336 },
      resample: 'bicubic',
    });
    const siglip = { image_processor_type: 'SiglipImageProcessor', resample: 2 };
    check('siglip', [{ ...siglip, size: { height: 512, width: 512 } }], {
      size: { exact: [512, 512] },
      resample: 'bilinear',
    });
    check('siglip', [{ ...siglip, size: 256 }], { size: { exact: [256, 256] } });
    expect(() => fromConfig('siglip2', siglip)).toThrow(/its presets are 'siglip'/);
    const naflex = { image_processor_type: 'Siglip2ImageProcessorFast', max_num_patches: 512 };
    check('siglip2', [{ ...naflex, patch_size: 14 }], {
      size: { patches: 512 },
      pad: { patches: 512 },
      patch: { size: 14 },
    });
    const jepa = { video_processor_type: 'VJEPA2VideoProcessor', size: { shortest_edge: 438 } };
    check('v-jepa-2', [{ ...jepa, crop_size: { height: 384, width: 384 } }], {
      size: { short: 438, crop: 384 },
    });
    const bit = { image_processor_type: 'BitImageProcessor', size: { shortest_edge: 256 } };
    check('dinov2', [{ ...bit, crop_size: { height: 224, width: 224 } }], {
      size: { short: 256, crop: 224 },
    });
  });
});

describe('what fromConfig refuses or tells', () => {
  test.each<[PresetName, object, RegExp]>([
    ['videomae', { image_processor_type: 'Qwen2VLImageProcessor' }, /'qwen2-vl', 'qwen2.5-vl'/],
    ['videomae', { size: 'big' }, /for size but received "big"/],
    ['videomae', { size: { shortest_edge: 5, height: 3 } }, /for size/],
    ['videomae', { size: { shortest_edge: 5, longest_edge: 9 } }, /alone/],
    ['videomae', { crop_size: { height: 5, width: 6 } }, /a number or a square for crop_size/],
    ['videomae', { do_resize: false }, /do_resize/],
    ['videomae', { do_resize: 1 }, /boolean for do_resize/],
    ['videomae', { resample: 0 }, /for resample but received 0/],
    ['videomae', { image_mean: [1, 2] }, /three numbers for image_mean/],
    ['videomae', { image_std: [1, 'a', 2] }, /image_std\[1\]/],
    ['videomae', { image_std: [1, 0, 2] }, /non-zero/],
    ['videomae', { rescale_factor: 0 }, /rescale_factor/],
    ['videomae', [] as object, /the parsed JSON/],
    ['qwen2-vl', { size: { height: 5, width: 6 } }, /areas here/],
    ['qwen2-vl', { size: { shortest_edge: 9, longest_edge: 5 } }, /least area/],
    ['qwen2-vl', { fps: 2, num_frames: 4 }, /fps or num_frames, not both/],
    ['qwen2-vl', { min_frames: 5, max_frames: 4 }, /min_frames/],
    ['siglip2', { size: 224 }, /max_num_patches/],
  ])('%s with %j', (name, json, says) => {
    expect(() => fromConfig(name, json)).toThrow(says);
  });

  test('two files of one kind', () => {
    expect(() => fromConfig('clip', { size: 5 }, { size: 5 })).toThrow(/one file of images/);
  });

  test('keys that say nothing here are listed once', () => {
    const { notes } = fromConfig('clip', { frobnicate: 1, do_convert_rgb: true, zz: null, aa: 2 });
    expect(notes).toEqual([expect.stringContaining('ignored: aa, frobnicate.')]);
  });

  test('a description of one’s own takes a file, too', () => {
    const own = defineInput({
      sample: { count: 4 },
      size: { short: 64, crop: 48 },
      normalize: { scale, mean: 0.5, std: 0.25 },
      tensors: { x: { of: 'pixels', axes: '(n f) c Y X' } },
    });
    expect(fromConfig(own, { size: { shortest_edge: 80 }, image_mean: HALF })).toMatchObject({
      sample: { count: 4 },
      size: { short: 80, crop: 48 },
      normalize: { scale, mean: HALF, std: 0.25 },
      tensors: own.tensors,
    });
  });

  test('any JSON ends in a named error or in a description', () => {
    const side = fc.oneof(fc.integer({ min: -2, max: 500 }), fc.anything());
    const json = fc.record(
      {
        size: fc.oneof(
          side,
          fc.record({ shortest_edge: side }),
          fc.record({ height: side, width: side }),
        ),
        crop_size: fc.oneof(side, fc.record({ height: side, width: side })),
        resample: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.anything()),
        image_mean: fc.oneof(fc.array(fc.double(), { minLength: 3, maxLength: 3 }), fc.anything()),
        image_std: fc.oneof(fc.constant(HALF), fc.anything()),
        rescale_factor: fc.oneof(fc.double(), fc.anything()),
        do_resize: fc.oneof(fc.boolean(), fc.anything()),
        do_normalize: fc.oneof(fc.boolean(), fc.anything()),
        do_center_crop: fc.boolean(),
        patch_size: side,
        merge_size: side,
        min_pixels: side,
        max_pixels: side,
        fps: fc.oneof(fc.double(), fc.anything()),
        num_frames: side,
        video_sampling: fc.oneof(
          fc.record({ fps: fc.anything(), max_frames: side }),
          fc.anything(),
        ),
        max_image_size: side,
        image_processor_type: fc.oneof(fc.constant('CLIPImageProcessor'), fc.anything()),
      },
      { requiredKeys: [] },
    );
    const names = fc.constantFrom(...(Object.keys(presets) as PresetName[]));
    fc.assert(
      fc.property(names, fc.oneof(json, fc.anything()), (name, file) => {
        try {
          const input = fromConfig(name, file as object);
          expect(defineInput(input)).toBe(input);
        } catch (error) {
          expect(error).toBeInstanceOf(CodecPatchStreamError);
          expect((error as CodecPatchStreamError).code).toBe('ERR_CPS_INVALID_ARGUMENT');
        }
      }),
      { numRuns: 400 },
    );
  });
});
