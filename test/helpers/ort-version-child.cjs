/**
 * DeviceSession in the ONNX Runtime of another onnxruntime-node, both installed in FOLDER/node_modules. Prints one
 * line of JSON: the version, and for each FOLDER/NAME.onnx whether all outputs are those of onnxruntime-node,
 * bit for bit; or the error.
 *
 *   node test/helpers/ort-version-child.cjs FOLDER
 */
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { createRequire } = require('node:module');

const folder = process.argv[2];
const load = createRequire(path.join(folder, 'package.json'));
const ort = load('onnxruntime-node');
const { DeviceSession } = load('codec-patch-stream/ort');
const { version } = load('onnxruntime-node/package.json');

const bits = ({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

async function main() {
  const same = {};
  for (const file of fs.readdirSync(folder).filter((name) => name.endsWith('.onnx'))) {
    const model = path.join(folder, file);
    const options = { intraOpNumThreads: 1 };
    const ours = await DeviceSession.create(model, options);
    const theirs = await ort.InferenceSession.create(model, options);
    const [{ shape }] = ours.inputMetadata;
    const dims = shape.map((side) => (typeof side === 'number' ? side : 3));
    const count = dims.reduce((product, side) => product * side, 1);
    const data = Float32Array.from({ length: count }, (_, i) => Math.sin(i));
    const feeds = { [ours.inputNames[0]]: new ort.Tensor('float32', data, dims) };
    const want = await theirs.run(feeds);
    const [first, second] = await Promise.all([ours.run(feeds), ours.run(feeds)]);
    same[file] = Object.keys(want).every((name) =>
      [first, second].every((got) => bits(got[name]).equals(bits(want[name]))),
    );
    await ours.release();
  }
  return { version, same };
}

main()
  .catch((error) => ({ version, code: error.code, message: error.message }))
  .then((result) => console.log(JSON.stringify(result)));
