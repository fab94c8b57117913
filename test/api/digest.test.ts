/**
 * Every fixture under a fixed list of options, as hashes: test/api/digest.txt says what came out when the
 * file was made. Whatever is moved or made faster, not one line of it may change.
 *
 * `npm test` computes some rows of each fixture, .ci/run all of them (CPS_LONG).
 *
 * Each row is computed in two of eight ways (seek or stream, one thread or two, from a file or from
 * memory; over the rows of a fixture all eight), which have to agree. CPS_DIGEST=all computes every row in all
 * eight, CPS_DIGEST=write writes the file.
 *
 * Encoders of another build, and some x264 options on another processor, make other clips: a fixture
 * of other bytes is compared among its own eight ways only. Under the ffmpeg that the file names, most
 * fixtures have to be the recorded ones. Under another one, those of BY_FFMPEG are not compared with it.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { CodecPatchStreamError, decodeOnly, patchStream } from '../../src/index.js';
import type { DecodeConfig, Tensor } from '../../src/index.js';
import { fixturePath, fixtures } from '../helpers/fixtures.js';
import { everyNth, fullForm, longForm, someOf } from '../helpers/long-form.js';

const FILE = path.join(__dirname, 'digest.txt');
const MODE = process.env.CPS_DIGEST ?? '';

const sha = (...parts: (Uint8Array | string)[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex').slice(0, 16);
};
const bytesOf = (tensor: Tensor): Uint8Array => {
  const { buffer, byteOffset, byteLength } = tensor.data as Uint8Array;
  return new Uint8Array(buffer, byteOffset, byteLength);
};

/** Eight ways to the same result. */
const WAYS = (['seek', 'stream'] as const).flatMap((uniformStrategy) =>
  [1, 2].flatMap((decodeThreads) =>
    [false, true].map((memory) => ({ uniformStrategy, decodeThreads, memory })),
  ),
);
type Way = (typeof WAYS)[number];

interface Row {
  name: string;
  run: (config: DecodeConfig) => Promise<string[]>;
}

const ROWS: Row[] = [1, 2, 16, 64].flatMap((sequenceLength) => [
  {
    name: `frames ${sequenceLength}`,
    async run(config) {
      const result = await decodeOnly({ ...config, sequenceLength });
      const times = new Float64Array(result.timestampsSec);
      const hashes = [
        sha(JSON.stringify(result.sampledFrameIds)),
        sha(bytesOf(result.frames)),
        sha(new Uint8Array(times.buffer)),
      ];
      result.close();
      return hashes;
    },
  },
  ...(['block', 'reference'] as const).map((energy): Row => ({
    name: `${energy} ${sequenceLength}`,
    async run(config) {
      const options = {
        ...({ sequenceLength, energy, kKeep: 256, outputDtype: 'fp32' } as const),
        // What the rows were made with, when it was the only rule.
        keyFramePatches: 'before-others',
      } as const;
      const result = await patchStream({ ...config, ...options });
      const { fields, scores } = result.metadataTensors;
      const times = new Float64Array(result.timestampsSec);
      const hashes = [bytesOf(fields), bytesOf(scores), bytesOf(result.patches)].map((b) => sha(b));
      hashes.push(sha(new Uint8Array(times.buffer)));
      result.close();
      return hashes;
    },
  })),
]);

async function compute(row: Row, file: string, way: Way): Promise<string> {
  const { memory, ...options } = way;
  const videoPath = memory ? fs.readFileSync(file) : file;
  try {
    return (await row.run({ videoPath, backend: 'cpu', ...options })).join(' ');
  } catch (error) {
    if (!(error instanceof CodecPatchStreamError)) throw error;
    return error.code;
  }
}

const FFMPEG = execFileSync('ffmpeg', ['-version'], { encoding: 'utf8' }).split(
  ' Copyright',
)[0] as string;
const text = fs.existsSync(FILE) ? fs.readFileSync(FILE, 'utf8') : '';
const sameEncoders = text.startsWith(`# ${FFMPEG}\n`);
const recorded = new Map<string, string>();
for (const line of text.split('\n')) {
  if (!line || line.startsWith('#')) continue;
  const at = line.split(' ', 4).join(' ').length;
  recorded.set(line.slice(0, at), line.slice(at + 1));
}
const lines: string[] = [];

/**
 * What comes out of these is for the FFmpeg to say that is there: which pictures there are, or RGB that its
 * scaler makes (otherwise in 9.0).
 */
const BY_FFMPEG = new Set([
  ...['hevc_cut.ts', 'nv12.nut', 'yuv410.mkv', 'yuv440.mkv', 'odd_10bit.mkv', 'odd_420.mp4'],
  'odd_mpeg4.avi',
]);

/** In how many ways each row is computed. */
const MOST = longForm && !fullForm ? 1 : 2;

/** The rows to compute for the nth fixture. */
const rowsOf = (n: number): [number, Row][] => {
  const all = [...ROWS.entries()];
  return MODE === '' && !longForm ? someOf(all, n, 3) : all;
};

const chosen = fixtures().map((f, n) => [f.name, n] as const);

describe.each(MODE === '' ? everyNth(chosen, 5) : chosen)('%s', (name, n) => {
  const file = fixturePath(name);
  const bytes = sha(fs.readFileSync(file));
  test('gives what it gave', async () => {
    const wrong: string[] = [];
    for (const [r, row] of rowsOf(n)) {
      const [first, ...others] =
        MODE === 'all'
          ? WAYS
          : [WAYS[(r + n) % 8] as Way, WAYS[(7 - r - n + 160) % 8] as Way].slice(0, MOST);
      const now = await compute(row, file, first as Way);
      for (const way of others) {
        const other = await compute(row, file, way);
        if (other !== now) wrong.push(`${row.name} ${JSON.stringify(way)}: ${other} not ${now}`);
      }
      const key = `${name} ${bytes} ${row.name}`;
      lines.push(`${key} ${now}`);
      const then = sameEncoders || !BY_FFMPEG.has(name) ? recorded.get(key) : undefined;
      if (MODE !== 'write' && then !== undefined && then !== now)
        wrong.push(`${key}: ${now} not ${then}`);
    }
    expect(wrong).toEqual([]);
  });
});

test('every fixture is in the file', () => {
  if (MODE === 'write') {
    const about =
      '# fixture, its bytes, call, frames; ids or fields, scores, patches or frames, times';
    fs.writeFileSync(FILE, `# ${FFMPEG}\n${about}\n${[...lines].sort().join('\n')}\n`);
    return;
  }
  const withoutBytes = (line: string): string => {
    const [name, , kind, length] = line.split(' ');
    return [name, kind, length].join(' ');
  };
  const known = new Set([...recorded.keys()].map(withoutBytes));
  expect(lines.map(withoutBytes).filter((line) => !known.has(line))).toEqual([]);
  if (!sameEncoders) return;
  const compared = lines.filter((line) => recorded.has(line.split(' ', 4).join(' ')));
  expect(compared.length).toBeGreaterThan(lines.length / 2);
});
