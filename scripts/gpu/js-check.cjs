// The package from JavaScript on this machine: node --expose-gc js-check.cjs cpu|gpu [OUT.json]
//   cpu  the addon loads, 'auto' works, 'gpu' works or says what is missing
//   gpu  all four combinations of backends give the CPU's patches; device tensors; fallback
// `npm test` runs both over the fake driver, so that a GPU machine is not the first to do it.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { Worker, isMainThread, workerData } = require('node:worker_threads');

const home = process.env.CPS_PACKAGE ?? path.join(__dirname, 'package');
const fixtures = process.env.CPS_FIXTURES ?? path.join(__dirname, 'fixtures');
const cps = require(path.join(home, 'dist', 'src', 'index.js'));
const clip = (name) => path.join(fixtures, name);
const config = { videoPath: clip('h264_bpyramid.mp4'), sequenceLength: 16, kKeep: 256 };
const missing = /no NVIDIA driver|libcuda|finds no GPU|no CUDA device|no NVDEC library|has no CUDA/;

const bytes = (data) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
async function contents(stream) {
  const { fields, scores } = stream.metadataTensors;
  const parts = await Promise.all([stream.patches, fields, scores].map((t) => t.toHost()));
  return Buffer.concat(parts.map(bytes));
}
async function openAndClose(options) {
  const stream = await cps.patchStream(options);
  try {
    return { contents: await contents(stream), backend: stream.backend };
  } finally {
    stream.close();
  }
}
async function gc() {
  for (let i = 0; i < 20 && cps.nativeStats().liveBuffers > 0; i++) {
    globalThis.gc();
    await new Promise((done) => setTimeout(done, 10));
  }
}

const features = require('./js-features.cjs')({ home, config, bytes, contents });
const onGpu = Object.entries(features).map(([name, check]) => [name, () => check('gpu')]);

const cpuChecks = {
  async 'the addon loads'() {
    return JSON.stringify(await cps.backendInfo());
  },
  async "'auto' gives the patches of 'cpu'"() {
    const cpu = await openAndClose({ ...config, backend: 'cpu' });
    const auto = await openAndClose({ ...config, backend: 'auto' });
    assert.ok(cpu.contents.equals(auto.contents));
    return JSON.stringify(auto.backend);
  },
  async "'gpu' works or says what is missing"() {
    try {
      const { backend } = await openAndClose({ ...config, backend: 'gpu' });
      return JSON.stringify(backend);
    } catch (error) {
      assert.strictEqual(error.code, 'ERR_CPS_BACKEND_UNAVAILABLE', error.message);
      assert.match(error.message, missing);
      return error.message;
    }
  },
  async 'a device that is not there is named'() {
    const error = await openAndClose({ ...config, backend: 'gpu', deviceId: 99 }).catch((e) => e);
    assert.strictEqual(error.code, 'ERR_CPS_BACKEND_UNAVAILABLE');
    assert.match(error.message, /no CUDA device 99|no NVIDIA driver|finds no GPU|has no CUDA/);
    return error.message;
  },
  'a DeviceSession': () => features['a DeviceSession takes tensors where they are']('cpu'),
  async 'nothing is left'() {
    await gc();
    assert.deepStrictEqual(
      [cps.nativeStats().liveBuffers, cps.nativeStats().callsInFlight],
      [0, 0],
    );
    return '';
  },
};

const gpuChecks = {
  async 'four combinations, three clips, both energies'() {
    let count = 0;
    for (const name of ['h264_bpyramid.mp4', 'hevc10.mp4', 'rot90.mp4']) {
      for (const energy of name === 'rot90.mp4' ? ['block', 'reference'] : ['block']) {
        const options = { ...config, videoPath: clip(name), energy };
        const cpu = await openAndClose({ ...options, backend: 'cpu' });
        for (const decodeBackend of ['cpu', 'gpu']) {
          for (const processBackend of ['cpu', 'gpu']) {
            const got = await openAndClose({ ...options, decodeBackend, processBackend });
            assert.ok(
              got.contents.equals(cpu.contents),
              `${name} ${decodeBackend} ${processBackend}`,
            );
            const device = (backend) => (backend === 'gpu' ? 'cuda:0' : 'cpu');
            assert.strictEqual(got.backend.decode, device(decodeBackend));
            assert.strictEqual(got.backend.process, device(processBackend));
            count++;
          }
        }
      }
    }
    return `${count} runs`;
  },
  async 'decodeOnly gives the frames of the CPU'() {
    const frames = await Promise.all(
      ['cpu', 'gpu'].map(async (backend) => {
        const result = await cps.decodeOnly({
          videoPath: config.videoPath,
          sequenceLength: 4,
          backend,
        });
        const host = bytes(await result.frames.toHost());
        const { device } = result.frames;
        result.close();
        return { host, device };
      }),
    );
    assert.ok(frames[0].host.equals(frames[1].host));
    assert.strictEqual(frames[1].device, 'cuda:0');
    return '';
  },
  async 'pixels: sizes, filters, random crops, layouts'() {
    const ways = [
      { size: { short: 64, crop: 56 }, resample: 'bicubic', augment: { flip: 1 } },
      { size: { short: 40, crop: 56 }, resample: 'bilinear-plain' },
      {
        size: [{ long: 100, even: true }, { exact: [56, 28] }],
        resample: 'lanczos',
        augment: { crop: { scale: [0.2, 0.5] }, seed: 2 },
      },
    ];
    const layouts = ['thwc', 'tchw', 'cthw'];
    let count = 0;
    for (const name of ['h264_bpyramid.mp4', 'rot90.mp4']) {
      for (const [i, way] of ways.entries()) {
        const made = [];
        for (const backend of ['cpu', 'gpu']) {
          const call = { videoPath: clip(name), sequenceLength: 3, backend, ...way };
          const outputDtype = ['fp32', 'bf16', 'fp16'][i];
          const layout = layouts[i];
          const normalize = 'clip';
          const frames = await cps.decodeOnly({ ...call, layout, normalize, outputDtype });
          const plain = await cps.decodeOnly(call);
          const parts = await Promise.all([frames, plain].map((f) => f.frames.toHost()));
          const patches = await openAndClose({ ...call, kKeep: 20, normalize, outputDtype });
          made.push(Buffer.concat([...parts.map(bytes), patches.contents]));
          frames.close();
          plain.close();
        }
        assert.ok(made[0].equals(made[1]), `${name} ${JSON.stringify(way)}`);
        count++;
      }
    }
    return `${count} ways`;
  },
  ...Object.fromEntries(onGpu),
  async 'tensors on the device'() {
    const stream = await cps.patchStream({ ...config, backend: 'gpu' });
    const { patches } = stream;
    assert.strictEqual(patches.device, 'cuda:0');
    assert.strictEqual(patches.data, undefined);
    assert.ok(patches.handle > 0n);
    const host = await patches.toHost();
    assert.strictEqual(host.length, patches.length);
    const one = patches.at(3);
    assert.strictEqual(one.handle - patches.handle, BigInt(3 * one.length * 2));
    assert.ok(
      bytes(await one.toHost()).equals(bytes(host.subarray(3 * one.length, 4 * one.length))),
    );
    one.close();
    const download = patches.toHost();
    stream.close();
    assert.strictEqual((await download).length, host.length);
    assert.throws(() => stream.patches, { code: 'ERR_CPS_CLOSED' });
    return '';
  },
  async 'forgotten tensors go with the garbage collector'() {
    for (let i = 0; i < 5; i++) await cps.patchStream({ ...config, backend: 'gpu' });
    await gc();
    assert.strictEqual(cps.nativeStats().liveBuffers, 0);
    return '';
  },
  async 'twelve calls at once'() {
    const cpu = await openAndClose({ ...config, backend: 'cpu' });
    const all = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        openAndClose({ ...config, backend: i % 3 ? 'gpu' : 'auto' }),
      ),
    );
    for (const got of all) assert.ok(got.contents.equals(cpu.contents));
    return '';
  },
  async 'an abort'() {
    const controller = new AbortController();
    const call = cps.patchStream({ ...config, backend: 'gpu', signal: controller.signal });
    controller.abort();
    await assert.rejects(call, { name: 'AbortError' });
    return '';
  },
  async 'two worker threads'() {
    const run = () =>
      new Promise((resolve, reject) => {
        const worker = new Worker(require.resolve('./js-check.cjs'), { workerData: 'gpu' });
        worker.on('message', resolve).on('error', reject);
      });
    const [a, b] = await Promise.all([run(), run()]);
    assert.deepStrictEqual(a, b);
    return '';
  },
  async 'what NVDEC cannot decode falls back and says so'() {
    const stream = await cps.patchStream({
      ...config,
      videoPath: clip('prores.mov'),
      backend: 'auto',
    });
    const { fallbackReason } = stream;
    const { decode, process: processed } = stream.backend;
    stream.close();
    assert.deepStrictEqual([decode, processed], ['cpu', 'cpu']);
    assert.match(fallbackReason, /the frames are decoded there/);
    assert.match(fallbackReason, /NVDEC does not decode prores/);
    await assert.rejects(
      openAndClose({ ...config, videoPath: clip('prores.mov'), backend: 'gpu' }),
      {
        code: 'ERR_CPS_BACKEND_UNAVAILABLE',
        message: /prores/,
      },
    );
    return fallbackReason;
  },
  'nothing is left': cpuChecks['nothing is left'],
};

async function main([part, out]) {
  const results = [];
  for (const [name, check] of Object.entries(part === 'gpu' ? gpuChecks : cpuChecks)) {
    const begin = Date.now();
    try {
      const detail = await check();
      results.push({ name, ok: true, detail, ms: Date.now() - begin });
      console.log(`ok      ${name}${detail && `: ${detail}`}`);
    } catch (error) {
      process.exitCode = 1;
      results.push({ name, ok: false, detail: error.message, ms: Date.now() - begin });
      console.log(`FAILED  ${name}`, error);
    }
  }
  if (out) fs.writeFileSync(out, JSON.stringify(results));
}

if (isMainThread) {
  main(process.argv.slice(2));
} else {
  openAndClose({ ...config, backend: workerData }).then(({ backend }) => {
    require('node:worker_threads').parentPort.postMessage(backend);
  });
}
