/** The shards of `extract` as Python's readers see them, where these are installed (test/parity/read_shards.py). */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { modelInputs } from '../../src/inputs/index.js';
import type { InputSpec } from '../../src/inputs/index.js';
import { fixturePath, repoRoot } from '../helpers/fixtures.js';
import { cli, factsOf, samplesOf, SMALL_INPUT } from '../helpers/extract.js';

const python = process.env['CPS_PYTHON'] ?? 'python3';
const imports = 'import webdataset, datasets, safetensors.numpy';
const isThere = spawnSync(python, ['-c', imports], { stdio: 'ignore' }).status === 0;

const CLIPS = [
  'h264_bpyramid.mp4',
  'small.mp4',
  'h264_opengop.mp4',
  'vfr.mp4',
  'rot90.mp4',
  'faststart.mp4',
];

interface Told {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly sha256: string;
}
type Samples = Record<string, { tensors: Record<string, Told>; json: object }>;

// Where they are: .ci/run installs no Python packages.
(isThere ? test : test.skip)(
  'Python reads what was written: the same arrays, the same JSON',
  async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-readers-'));
    try {
      const lines = CLIPS.map((name, i) => `${fixturePath(name)},${i},take ${i},${i % 2},${i + 2}`);
      const list = path.join(folder, 'list.csv');
      fs.writeFileSync(list, ['path,id,label,from,to', ...lines].join('\n'));
      const input = path.join(folder, 'input.json');
      fs.writeFileSync(input, JSON.stringify(SMALL_INPUT));
      const folders = ['npy', 'safetensors'].map((members) => {
        const out = path.join(folder, members);
        const args = ['extract', list, '--input', input, '--members', members, '--out', out];
        expect(cli([...args, '--shard-videos', '4']).status).toBe(0);
        return out;
      });
      const script = path.join(repoRoot, 'test', 'parity', 'read_shards.py');
      const answer = execFileSync(python, [script, ...folders], {
        encoding: 'utf8',
        maxBuffer: 64 << 20,
      });
      const { readers } = JSON.parse(answer) as { readers: Record<string, Samples> };
      const expected: Samples = {};
      for (const [i, name] of CLIPS.entries()) {
        const range = { fromSec: i % 2, toSec: i + 2 };
        const spec = SMALL_INPUT as unknown as InputSpec;
        const sample = { ...SMALL_INPUT.sample, range };
        using inputs = await modelInputs(fixturePath(name), spec, { sample });
        const tensors: Record<string, Told> = {};
        for (const [key, tensor] of Object.entries(inputs.tensors)) {
          const { buffer, byteOffset, byteLength } = (await tensor.toHost()) as Uint8Array;
          const sha256 = createHash('sha256').update(Buffer.from(buffer, byteOffset, byteLength));
          tensors[key] = { dtype: tensor.dtype, shape: tensor.shape, sha256: sha256.digest('hex') };
        }
        const shard = path.join(folder, 'npy', `shard-00000${Math.floor(i / 4)}.tar`);
        const json = factsOf(samplesOf(shard).get(`0000000${i}`));
        expect(json).toMatchObject({ path: fixturePath(name), label: `take ${i}`, fromSec: i % 2 });
        expected[`0000000${i}`] = { tensors, json };
      }
      expect(Object.keys(readers).sort()).toEqual([
        ...['datasets', 'datasets, streaming', 'safetensors', 'tarfile', 'webdataset'],
      ]);
      for (const [reader, samples] of Object.entries(readers)) {
        expect({ reader, samples }).toEqual({ reader, samples: expected });
      }
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  },
);
