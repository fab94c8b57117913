/** What a new user passes by mistake: an error in words, never a TypeError of our own code. */
import * as tf from '@tensorflow/tfjs';
import * as ort from 'onnxruntime-node';
import { feeds, feedStream, patchOptions, toOrtTensor } from 'codec-patch-stream/ort';
import { frameDataset, patchDataset, toTensor } from 'codec-patch-stream/tfjs';
import { CodecPatchStreamError, decodeOnly, patchStream } from '../../src/index.js';
import { fixturePath } from '../helpers/fixtures.js';

const videoPath = fixturePath('small.mp4'); // 48x34
const any = (value: unknown): never => value as never;

async function messageOf(call: () => unknown): Promise<string> {
  try {
    await call();
  } catch (error) {
    expect(error).toBeInstanceOf(CodecPatchStreamError);
    expect((error as CodecPatchStreamError).code).toBe('ERR_CPS_INVALID_ARGUMENT');
    return (error as Error).message;
  }
  return 'no error';
}

const session = { inputNames: ['x'], inputMetadata: [] };
const wrong: [string, () => unknown][] = [
  ['undefined', () => undefined],
  ['a promise', () => Promise.resolve()],
  ['a typed array', () => new Float32Array(3)],
  ['a string', () => 'video.mp4'],
  ['an object', () => ({})],
];

describe.each(wrong)('%s in place of', (what, make) => {
  test.each<[string, string, (value: never) => unknown]>([
    ['a tensor', 'source', (value) => toTensor(tf, value)],
    ['TensorFlow.js', 'tf', (value) => toTensor(value, value)],
    ['TensorFlow.js of a dataset', 'tf', (value) => patchDataset(value, [videoPath])],
    ['TensorFlow.js of frames', 'tf', (value) => frameDataset(value, [videoPath])],
    ['a tensor for ONNX Runtime', 'tensor', (value) => toOrtTensor(ort, value)],
    ['ONNX Runtime', 'ort', (value) => toOrtTensor(value, value)],
    ['a session', 'session', (value) => patchOptions(value)],
    ['a session with streams', 'session', (value) => feeds(value, value)],
    ['a session with videos', 'session', (value) => feedStream(value, [videoPath])],
    ['a stream', 'streams', (value) => feeds(any(session), value)],
    ['one of two streams', 'streams[0]', (value) => feeds(any(session), [value, value])],
  ])('%s', async (_, name, call) => {
    const message = await messageOf(() => call(any(make())));
    expect(message).toMatch(/^Expected .* for [\w[\]]+ but received /);
    expect(message).toContain(` for ${name} but received `);
    if (what === 'a promise') expect(message).toMatch(/; await it first$/);
  });
});

test('numClasses needs labels', async () => {
  const dataset = patchDataset(tf, [videoPath], { numClasses: 3, kKeep: 4 });
  const message = await messageOf(async () => (await dataset.iterator()).next());
  expect(message).toMatch(
    /small\.mp4.*integer between 0 and 2 \(numClasses is 3\) for label.*undefined/,
  );
});

describe('what can be done and is hardly meant gets a note', () => {
  test('far more frames than there are', async () => {
    using few = await decodeOnly({ videoPath, sample: { count: 2, range: { from: 0, to: 2 } } });
    expect(few.notes).toEqual([]);
    using many = await decodeOnly({ videoPath, sample: { count: 5, range: { from: 0, to: 2 } } });
    expect(many.notes.map(({ code }) => code)).toEqual(['repeated-frames']);
    expect(many.notes[0]?.message).toMatch(/^5 frames were asked for and there are 2/);
    // Whoever lists frames means them.
    using listed = await decodeOnly({ videoPath, sample: { indices: [1, 1, 1, 1, 1] } });
    expect(listed.notes).toEqual([]);
  });

  test('a patch that is larger than the frame', async () => {
    const small = { sequenceLength: 2, kKeep: 4, keyFramePatches: 'compete' } as const;
    const options = { ...small, videoPath, backend: 'cpu' } as const;
    using fits = await patchStream({ ...options, patchSize: 34 });
    expect(fits.notes).toEqual([]);
    using above = await patchStream({ ...options, patchSize: 35 });
    expect(above.notes.map(({ code }) => code)).toEqual(['patch-above-frame']);
    const { width, height } = above.targetSize;
    expect(above.notes[0]?.message).toContain(`enlarged to ${width}x${height}`);
  });
});
