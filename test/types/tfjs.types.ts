/* eslint-disable @typescript-eslint/no-unused-vars, @typescript-eslint/no-unsafe-return */
/** Types of codec-patch-stream/tfjs: compiled by `npm test`, never run. */
import * as tf from '@tensorflow/tfjs';
import { frameDataset, patchDataset, toTensor } from '../../adapters/tfjs/index.js';
import type { ClipXs, InputShapes, VideoError } from '../../adapters/tfjs/index.js';
import type { PatchStream } from '../../src/index.js';

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

const frames = frameDataset(tf, labelled, { width: 64, height: 64 });
same<ElementOf<typeof frames>, { xs: tf.Tensor5D; ys: tf.Tensor2D }>();

export async function use(model: tf.LayersModel, stream: PatchStream): Promise<void> {
  await model.fitDataset(clips, { epochs: 1 });
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
// @ts-expect-error -- labels are numbers
patchDataset(tf, paths, { label: (path) => path });
// @ts-expect-error -- frames are not selected
frameDataset(tf, paths, { kKeep: 3 });
// @ts-expect-error -- no such layout
void toTensor(tf, {} as PatchStream, { layout: 'hwc' });
