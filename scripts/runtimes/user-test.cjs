/**
 * A user's test with Jest or Vitest (its body; both have `test` and `expect` as globals): the
 * package and both adapters give the same as outside of the vm contexts that tests run in.
 */
/* global test, expect */
const { createHash } = require('node:crypto');
const { patchStream, decodeOnly, CodecPatchStreamError } = require('codec-patch-stream');
const { feeds } = require('codec-patch-stream/ort');
const { toTensor } = require('codec-patch-stream/tfjs');
const tf = require('@tensorflow/tfjs');

const videoPath = process.env.CPS_VIDEO;
const options = { backend: 'cpu', sequenceLength: 8, kKeep: 256, outputDtype: 'fp32' };
// What feeds() asks of a session; a real one is made from a model.
const session = {
  inputNames: ['patches'],
  inputMetadata: [{ name: 'patches', isTensor: true, type: 'float32', shape: ['K', 3, 14, 14] }],
};

test('patches, frames, feeds and tensors', async () => {
  const stream = await patchStream({ videoPath, ...options });
  const { fields, scores } = stream.metadataTensors;
  const hash = createHash('sha256');
  for (const { data } of [stream.patches, stream.positions, fields, scores]) {
    hash.update(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  }
  expect(`${stream.length} ${hash.digest('hex').slice(0, 16)}`).toBe(process.env.CPS_PATCHES);

  const fed = await feeds(session, stream);
  expect(fed.patches.dims).toEqual([256, 3, 14, 14]);
  expect(fed.patches.data[1000]).toBe(stream.patches.data[1000]);
  const tensor = await toTensor(tf, stream.patches, { layout: 'nhwc' });
  expect(tensor.shape).toEqual([256, 14, 14, 3]);
  expect((await tensor.data())[3]).toBe(stream.patches.data[1]);
  stream.close();

  const frames = await decodeOnly({ videoPath, backend: 'cpu', sequenceLength: 1 });
  expect(frames.frames.data.length).toBe(frames.frames.length);
  frames.close();
});

test('errors', async () => {
  const error = await decodeOnly({ videoPath: '/none.mp4' }).catch((e) => e);
  expect(error).toBeInstanceOf(CodecPatchStreamError);
  expect(error.code).toBe('ERR_CPS_NOT_FOUND');
  await expect(decodeOnly({ videoPath, signal: AbortSignal.abort() })).rejects.toThrow('aborted');
});
