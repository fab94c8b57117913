/* eslint-disable @typescript-eslint/no-unused-vars, @typescript-eslint/no-unsafe-return */
/** Types of codec-patch-stream/tfjs: compiled by `npm test`, never run. */
import * as tf from '@tensorflow/tfjs';
import { frameDataset, patchDataset, shardDataset, toTensor } from '../../adapters/tfjs/index.js';
import type {
  ClipXs,
  InputElement,
  InputShapes,
  PatchXs,
  VideoError,
} from '../../adapters/tfjs/index.js';
import type { PatchStream, PatchStreamConfig } from '../../src/index.js';

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(..._: Equal<A, B> extends true ? [] : ['types differ']): void => undefined;
type ElementOf<D> = D extends tf.data.Dataset<infer T> ? T : never;

const paths = ['a.mp4'];
const labelled = [{ video: 'a.mp4', label: 1, take: 3 }];

const clips = patchDataset(tf, labelled, { batchSize: 4, kKeep: 64 });
same<ElementOf<typeof clips>, { xs: ClipXs; ys: tf.Tensor2D }>();
same<typeof clips.inputShapes, InputShapes>();
same<ClipXs['patches'], tf.Tensor5D>();
same<ClipXs['positions'], tf.Tensor3D>();

const bare = patchDataset(tf, paths);
same<ElementOf<typeof bare>, { xs: ClipXs }>();

const patches = patchDataset(tf, labelled, { unit: 'patch' });
same<ElementOf<typeof patches>, { xs: tf.Tensor4D; ys: tf.Tensor2D }>();

const selected = patchDataset(tf, labelled, { select: ({ patches: p }) => p });
same<ElementOf<typeof selected>, { xs: tf.Tensor5D; ys: tf.Tensor2D }>();

const byFunction = patchDataset(tf, paths, {
  label: (path) => (path.endsWith('a.mp4') ? 0 : 1),
  onError: (error, { entry, index }) => {
    same<typeof entry, string>();
    same<typeof index, number>();
    console.log((error as VideoError).video);
  },
});
same<ElementOf<typeof byFunction>, { xs: ClipXs; ys: tf.Tensor2D }>();

// An entry that may have a label gives elements that may have ys.
const some: { video: string; label?: number }[] = [];
const maybe = patchDataset(tf, some, { select: ({ patches: p }) => p });
same<ElementOf<typeof maybe>, { xs: tf.Tensor5D; ys?: tf.Tensor2D }>();
const maybeFrames = frameDataset(tf, some);
same<ElementOf<typeof maybeFrames>, { xs: tf.Tensor5D; ys?: tf.Tensor2D }>();
const others: { video: string; id: number }[] = [];
const unlabelled = patchDataset(tf, others);
same<ElementOf<typeof unlabelled>, { xs: ClipXs }>();
const vectors = patchDataset(tf, [{ video: new Uint8Array(), label: Float32Array.of(1, 2) }]);
same<ElementOf<typeof vectors>, { xs: ClipXs; ys: tf.Tensor2D }>();

// select decides what xs is, for each unit.
const rows = patchDataset(tf, labelled, { unit: 'patch', select: ({ positions: p }) => p });
same<ElementOf<typeof rows>, { xs: tf.Tensor2D; ys: tf.Tensor2D }>();
const named = patchDataset(tf, paths, { select: ({ mask: m, positions: p }) => ({ m, p }) });
same<ElementOf<typeof named>, { xs: { m: tf.Tensor2D; p: tf.Tensor3D } }>();
same<PatchXs, { readonly patches: tf.Tensor4D; readonly positions: tf.Tensor2D }>();

const shared: Omit<PatchStreamConfig, 'videoPath'> & { outputDtype: 'fp32' } = {
  ...{ outputDtype: 'fp32', timeoutMs: 1000, maxFrames: 10, readerCacheDir: 'beside' },
};
patchDataset(tf, paths, shared);

const frames = frameDataset(tf, labelled, { width: 64, height: 64 });
same<ElementOf<typeof frames>, { xs: tf.Tensor5D; ys: tf.Tensor2D }>();

export async function use(model: tf.LayersModel, stream: PatchStream): Promise<void> {
  await model.fitDataset(clips, { epochs: 1 });
  await model.fitDataset(maybe, { epochs: 1 });
  await model.fitDataset(clips.take(3).prefetch(2), { epochs: 1, validationData: clips });
  same<Awaited<ReturnType<typeof toTensor>>, tf.Tensor>();
  await toTensor(tf, stream, { layout: 'nhwc', normalize: { scale: 1 / 255 }, dtype: 'int32' });
  await toTensor(tf, stream.positions);
}

// Generators, sets and async iterables are videos too.
patchDataset(tf, function* () {
  yield { video: new URL('file:///a.mp4'), label: [0, 1] };
});
patchDataset(tf, new Set(paths), { shuffle: 100, seed: 'a', repeat: Infinity });

// @ts-expect-error -- there is no such option
patchDataset(tf, paths, { kKept: 3 });
// @ts-expect-error -- tensors of TensorFlow.js are float32
patchDataset(tf, paths, { outputDtype: 'fp16' });
// @ts-expect-error -- the video belongs to the first argument
patchDataset(tf, paths, { videoPath: 'a.mp4' });
// @ts-expect-error -- one path is not a list of them
patchDataset(tf, { video: 'a.mp4' });
// @ts-expect-error -- patches have no mask
patchDataset(tf, paths, { unit: 'patch', select: ({ mask }) => mask });
// @ts-expect-error -- a promise is no tensor
patchDataset(tf, paths, { select: async ({ patches: p }) => Promise.resolve(p) });
// @ts-expect-error -- labels are numbers
patchDataset(tf, paths, { label: (path) => path });
// @ts-expect-error -- frames are not selected
frameDataset(tf, paths, { kKeep: 3 });
// @ts-expect-error -- no such layout
void toTensor(tf, {} as PatchStream, { layout: 'hwc' });

const shardInputs = shardDataset(tf, 'out', { label: ({ video }) => video.length });
same<ElementOf<typeof shardInputs>, InputElement>();
const shardClips = shardDataset(tf, ['a.tar'], { kind: 'patches', worker: { index: 0, count: 2 } });
same<ElementOf<typeof shardClips>, { xs: ClipXs; ys?: tf.Tensor2D }>();
const shardPatches = shardDataset(tf, 'out', {
  kind: 'patches',
  unit: 'patch',
  from: { epoch: 3 },
});
same<ElementOf<typeof shardPatches>, { xs: tf.Tensor4D; ys?: tf.Tensor2D }>();
// @ts-expect-error -- inputs are not selected among
shardDataset(tf, 'out', { select: ({ patches: p }) => p });
// @ts-expect-error -- nothing is decoded
shardDataset(tf, 'out', { kind: 'patches', sequenceLength: 8 });
