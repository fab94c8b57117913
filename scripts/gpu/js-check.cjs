// The package from JavaScript: the addon loads, 'auto' works on any machine, 'gpu' works or says
// what is missing, and both give the same patches.
'use strict';
const assert = require('node:assert');
const path = require('node:path');
const { patchStream } = require('./package/dist/src/index.js');

async function main() {
  const videoPath = path.join(__dirname, 'fixtures', 'h264_bpyramid.mp4');
  const config = { videoPath, sequenceLength: 16, kKeep: 256 };
  const cpu = await patchStream({ ...config, backend: 'cpu' });
  const auto = await patchStream({ ...config, backend: 'auto' });
  console.log('auto took', JSON.stringify(auto.backend));
  const fields = (stream) => Array.from(stream.metadataTensors.fields.data);
  assert.deepStrictEqual(fields(auto), fields(cpu));
  try {
    const gpu = await patchStream({ ...config, backend: 'gpu' });
    assert.deepStrictEqual(fields(gpu), fields(cpu));
    const host = async (stream) =>
      Buffer.from(new Uint8Array((await stream.patches.toHost()).data.buffer));
    assert.ok((await host(gpu)).equals(await host(cpu)));
    assert.match(gpu.patches.device, /^cuda:/);
    console.log('gpu gives the same patches');
    gpu.close();
  } catch (error) {
    if (error.code !== 'ERR_CPS_BACKEND_UNAVAILABLE') throw error;
    console.log(error.message);
  }
  cpu.close();
  auto.close();
}
main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
