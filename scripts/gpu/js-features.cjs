// The checks of js-check.cjs that are about energies, windows, inputs of models and sessions: each
// gives the same bytes on `backend` as on the CPU.
'use strict';
const assert = require('node:assert');
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

module.exports = ({ home, config, bytes, contents }) => {
  const load = (name) => require(path.join(home, 'dist', name, 'index.js'));
  const cps = load('src');

  /** What both backends make, one after the other, has to be the same. */
  async function same(backend, what, make) {
    const [cpu, other] = [await make('cpu'), await make(backend)];
    assert.ok(cpu.length > 0 && cpu.equals(other), what);
  }
  const everything = async (stream) => {
    const maps = Object.values(stream.energyMaps ?? {}).filter(Boolean);
    const parts = [await contents(stream), ...maps.map((map) => bytes(map.data))];
    stream.close();
    return Buffer.concat(parts);
  };
  const framesOf = async (decoded) => {
    const parts = Buffer.from(bytes(await decoded.frames.toHost()));
    decoded.close();
    return parts;
  };

  async function energies(backend) {
    const ways = [
      {},
      { energyScope: 'video' },
      { intraEnergy: 'texture' },
      { globalMotion: 'subtract' },
      { energyScope: 'video', intraEnergy: 'texture', maps: true },
    ];
    let count = 0;
    for (const energy of ['block', 'adjacent', 'accumulated']) {
      for (const way of ways) {
        if (energy === 'accumulated' && way.globalMotion) continue;
        const options = { ...config, sequenceLength: 4, inputSize: 112, kKeep: 64, energy, ...way };
        await same(backend, `${energy} ${JSON.stringify(way)}`, async (on) =>
          everything(await cps.patchStream({ ...options, backend: on })),
        );
        count++;
      }
    }
    return `${count} ways`;
  }

  async function windows(backend) {
    let count = 0;
    for (const of of ['frames', 'patches']) {
      await same(backend, of, async (on) => {
        const video = await cps.openVideo(config.videoPath, {});
        const options = of === 'frames' ? { size: { exact: [56, 56] } } : { kKeep: 16 };
        const parts = [];
        const all = video.windows(
          { frames: 30, hop: 20 },
          { of, sequenceLength: 3, backend: on, ...options },
        );
        for await (const window of all) {
          parts.push(of === 'frames' ? await framesOf(window) : await everything(window));
          count++;
        }
        video.close();
        return Buffer.concat(parts);
      });
    }
    return `${count / 2} windows`;
  }

  async function inputsOfModels(backend) {
    const { modelInputs, presets } = load('src/inputs');
    /** Names, types, shapes and elements of all tensors, and what is said of the video. */
    const made = async (preset, on, outputs) => {
      const inputs = await modelInputs(config.videoPath, preset, {
        ...{ backend: on, outputs, classDefaults: true, sample: { count: 4 } },
      });
      const tensors = {};
      let different = 0;
      for (const [name, tensor] of Object.entries(inputs.tensors)) {
        const elements = bytes(await tensor.toHost());
        const digest = createHash('sha256').update(elements).digest('hex');
        different = Math.max(different, new Set(elements).size);
        tensors[name] = { dtype: tensor.dtype, shape: tensor.shape, digest };
      }
      assert.ok(different > 16, `${preset} has pixels`);
      // What changes from frame to frame is measured on the host.
      const stays = outputs === 'device' && on === 'gpu' && !tensors.video_compression_mask;
      const devices = Object.values(inputs.tensors).map(({ device }) => device);
      assert.strictEqual(devices.includes('cuda:0'), stays, preset);
      const { videos } = inputs;
      inputs.close();
      return { tensors, videos };
    };
    for (const preset of Object.keys(presets)) {
      const cpu = await made(preset, 'cpu', 'host');
      for (const outputs of ['host', 'device']) {
        assert.deepStrictEqual(await made(preset, backend, outputs), cpu, `${preset} ${outputs}`);
      }
    }
    return `${Object.keys(presets).length} presets`;
  }

  async function stacked(backend) {
    await same(backend, 'stack', async (on) => {
      const open = (kKeep) => cps.patchStream({ ...config, kKeep, backend: on });
      const streams = [await open(24), await open(20)];
      const all = await cps.stack(
        streams.map(({ patches }) => patches),
        { padTo: 24, count: 3 },
      );
      assert.strictEqual(all.device, on === 'gpu' ? 'cuda:0' : 'cpu');
      const host = Buffer.from(bytes(await all.toHost()));
      for (const each of [all, ...streams]) each.close();
      return host;
    });
    return '';
  }

  async function session(backend) {
    try {
      require.resolve('onnxruntime-node', { paths: [home] });
    } catch {
      return 'left out: no onnxruntime-node (CPS_ORT names the folder of one)';
    }
    const { DeviceSession, feeds } = load('adapters/ort');
    const given = process.env.CPS_ORT_MODEL;
    const model = given ? fs.readFileSync(given) : identity();
    const providers = backend === 'gpu' ? ['cuda', 'cpu'] : ['cpu'];
    const opened = await DeviceSession.create(model, {
      ...{ executionProviders: providers, outputs: 'device' },
    });
    const stream = await cps.patchStream({ ...config, kKeep: 24, outputDtype: 'fp16', backend });
    const feed = await feeds(opened, stream);
    const { y } = await opened.run(feed);
    assert.strictEqual(y.device, stream.patches.device);
    const [want, got] = await Promise.all([stream.patches.toHost(), y.toHost()]);
    assert.ok(bytes(want).equals(bytes(got)), 'the identity of the patches');
    for (const each of [...Object.values(feed), y, stream]) each.close?.();
    await opened.release();
    return `outputs on ${backend === 'gpu' ? 'cuda:0' : 'cpu'}`;
  }

  return {
    'energies, their scopes and maps': energies,
    'windows of a video that is held': windows,
    'inputs of models, to the host and on the device': inputsOfModels,
    'tensors are put together where they are': stacked,
    'a DeviceSession takes tensors where they are': session,
  };
};

/** A model of ONNX: y = x, float16 [1, 24, 3, 14, 14]. */
function identity() {
  const field = (number, value) => {
    if (typeof value === 'number') return Buffer.from([number << 3, value]);
    const data = typeof value === 'string' ? Buffer.from(value) : value;
    assert.ok(data.length < 128);
    return Buffer.concat([Buffer.from([(number << 3) | 2, data.length]), data]);
  };
  const message = (...fields) => Buffer.concat(fields.map(([number, v]) => field(number, v)));
  const dims = [1, 24, 3, 14, 14].map((size) => [1, message([1, size])]);
  const type = message([1, message([1, 10], [2, message(...dims)])]);
  const value = (name) => message([1, name], [2, type]);
  const node = message([1, 'x'], [2, 'y'], [4, 'Identity']);
  // Longer than 127 bytes: the length takes two.
  const graph = message([1, node], [2, 'identity'], [11, value('x')], [12, value('y')]);
  const long = Buffer.from([(7 << 3) | 2, (graph.length & 127) | 128, graph.length >> 7]);
  return Buffer.concat([
    message([1, 8]),
    graph.length < 128 ? field(7, graph) : Buffer.concat([long, graph]),
    message([8, message([2, 13])]),
  ]);
}
