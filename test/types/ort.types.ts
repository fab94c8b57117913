/* eslint-disable @typescript-eslint/no-unused-vars */
/** Types of codec-patch-stream/ort: compiled by `npm test`, never run. */
import * as ort from 'onnxruntime-node';
import {
  feeds,
  feedStream,
  patchOptions,
  shardFeeds,
  toOrtTensor,
} from '../../adapters/ort/index.js';
import type {
  FedBatch,
  Mapping,
  ShardBatch,
  ShardEntry,
  ShardPatches,
} from '../../adapters/ort/index.js';
import { patchStream } from '../../src/index.js';

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(..._: Equal<A, B> extends true ? [] : ['types differ']): void => undefined;

export async function use(session: ort.InferenceSession): Promise<void> {
  const stream = await patchStream({ videoPath: 'a.mp4', ...patchOptions(session) });
  const results = await session.run(await feeds(session, stream));
  await session.run(await feeds(session, [stream, stream], { x: 'patches' }, { ort }));
  const tensor = await toOrtTensor(ort, stream.patches, { dims: [1, -1], dtype: 'float16' });
  same<typeof tensor, ort.Tensor>();
  const mapping: Mapping = { text: tensor, x: 'patches', n: (streams) => tensor };
  for await (const batch of feedStream(session, [{ video: 'a.mp4', id: 7 }], {
    mapping,
    batchSize: 4,
    onError: (error, sample) => same<typeof sample.entry, { video: string; id: number }>(),
  })) {
    same<typeof batch, FedBatch<{ video: string; id: number }>>();
    const id: number | undefined = batch.videos[0]?.entry.id;
    await session.run(batch.feeds);
  }
  same<Awaited<ReturnType<typeof feeds>>, Record<string, ort.Tensor>>();
  const inputs: (string | URL)[] = ['a.mp4'];
  for await (const batch of feedStream(session, inputs, { kKeep: 4 })) {
    same<typeof batch.feeds, Record<string, ort.Tensor>>();
    same<(typeof batch.videos)[number]['entry'], string | URL>();
    same<(typeof batch.videos)[number]['timestampsSec'], readonly number[]>();
  }
  // @ts-expect-error -- what a function makes is a tensor
  await feeds(session, stream, { n: (streams) => streams.length });
  // @ts-expect-error -- there are no labels here
  feedStream(session, ['a.mp4'], { label: () => 1 });
  // @ts-expect-error -- a source that does not exist
  await feeds(session, stream, { x: 'pixels' });
  // @ts-expect-error -- the videos are the second argument
  feedStream(session, [], { videoPath: 'a.mp4' });
  // @ts-expect-error -- no such type
  await toOrtTensor(ort, stream.patches, { dtype: 'float64' });
  for await (const batch of shardFeeds(session, 'out', {
    kind: 'patches',
    mapping: {
      x: 'patches',
      n: (samples) => (same<typeof samples, readonly ShardPatches[]>(), tensor),
    },
  })) {
    same<typeof batch, ShardBatch>();
    same<(typeof batch.videos)[number]['entry'], ShardEntry>();
  }
  // @ts-expect-error -- inputs of kind 'input' are named by their tensors
  shardFeeds(session, 'out', { mapping: { x: 5 } });
  void results;
}
