/** `extract`: what lists say, what is to be extracted, and what is refused before anything is written. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { modelInputs, presets } from '../../src/inputs/index.js';
import { openShards } from '../../src/shards/index.js';
import { fixturePath } from '../helpers/fixtures.js';
import { cli, factsOf, manifestOf, readNpy, samplesOf, SMALL_INPUT } from '../helpers/extract.js';
import type { Facts, Ran } from '../helpers/extract.js';

let folder: string;
let input: string;
const at = (...names: string[]): string => path.join(folder, ...names);
const extract = (...args: string[]): Ran => cli(['extract', ...args], { cwd: folder });

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-lists-'));
  fs.mkdirSync(at('clips', 'more'), { recursive: true });
  for (const name of ['h264_bpyramid.mp4', 'small.mp4', 'more/vfr.mp4']) {
    fs.symlinkSync(fixturePath(path.basename(name)), at('clips', name));
  }
  input = at('input.json');
  fs.writeFileSync(input, JSON.stringify(SMALL_INPUT));
});
afterAll(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

describe('lists', () => {
  const rows = (out: string): Facts[] =>
    [...samplesOf(path.join(out, 'shard-000000.tar')).values()].map(factsOf);

  test('episodes are ranges of a file; other columns come into the JSON', async () => {
    const list = at('clips', 'episodes.csv');
    const lines = [
      'path,id,label,from,to',
      'h264_bpyramid.mp4,a,"run, fast",0.5,1.5',
      'h264_bpyramid.mp4,b,rest,2,',
      'more/vfr.mp4,c,"say ""hi""",,',
    ];
    fs.writeFileSync(list, `\ufeff${lines.join('\r\n')}\r\n`);
    const out = at('episodes');
    const ran = extract(list, '--input', input, '--out', out);
    expect([ran.status, ran.stderr]).toEqual([0, '']);
    const [a, b, c] = rows(out) as [Facts, Facts, Facts];
    expect(a).toMatchObject({ id: 'a', label: 'run, fast', fromSec: 0.5, toSec: 1.5 });
    expect(b).toMatchObject({ id: 'b', label: 'rest', fromSec: 2, toSec: null });
    expect(c).toMatchObject({ id: 'c', label: 'say "hi"', fromSec: null, toSec: null });
    // 25 frames a second; middles of 13 to 37, and of 50 to 99.
    expect(a.video['frames']).toEqual([16, 22, 28, 34]);
    expect(b.video['frames']).toEqual([56, 68, 81, 93]);
    const sample = { ...SMALL_INPUT.sample, range: { fromSec: 0.5, toSec: 1.5 } };
    using inputs = await modelInputs(fixturePath('h264_bpyramid.mp4'), SMALL_INPUT, { sample });
    const [first] = [...samplesOf(path.join(out, 'shard-000000.tar')).values()];
    const data = readNpy(first?.get('pixel_values.npy') as Buffer).data;
    const { buffer, byteOffset, byteLength } = (await inputs.tensors[
      'pixel_values'
    ]?.toHost()) as Uint8Array;
    expect(data.equals(Buffer.from(buffer, byteOffset, byteLength))).toBe(true);
  });

  test('a file: URL of another machine fails alone in a list, and is a usage error where it is typed', () => {
    const bad = ['file://nas/share/x.mp4', 'file:///a%2Fb.mp4'];
    const good = `file://${fixturePath('small.mp4')}`;
    fs.writeFileSync(at('urls.txt'), [bad[0], good, bad[1]].join('\n'));
    const out = at('urls');
    const ran = extract('urls.txt', '--input', input, '--out', out, '--max-failures', '2');
    expect([ran.status, ran.stderr]).toEqual([0, '']);
    expect(rows(out).map(({ index }) => index)).toEqual([1]);
    expect(manifestOf(out)['failures']).toMatchObject([
      { index: 0, path: bad[0], code: 'ERR_CPS_NOT_FOUND' },
      { index: 2, path: bad[1], code: 'ERR_CPS_NOT_FOUND' },
    ]);
    for (const url of bad) {
      for (const args of [[url], ['clips', url]]) {
        const { status, stderr } = extract(...args, '--input', input, '--out', at('no-urls'));
        expect([status, stderr]).toEqual([
          1,
          expect.stringMatching(/^error: Expected the file: URL of a local file but .*\n$/),
        ]);
      }
    }
    expect(fs.existsSync(at('no-urls'))).toBe(false);
  });

  test('JSON lines keep the types of columns; tab-separated, and plain paths on stdin', () => {
    const out = at('jsonl');
    const list = at('clips', 'list.jsonl');
    const lines = [
      { path: 'small.mp4', label: 3, tags: ['x', 'y'] },
      { tags: [], label: 0, path: 'more/vfr.mp4' },
    ];
    fs.writeFileSync(list, lines.map((line) => JSON.stringify(line)).join('\n'));
    expect(extract(list, '--input', input, '--out', out).status).toBe(0);
    expect(rows(out)).toMatchObject(lines);
    const tabs = at('tsv');
    const text = 'path\tlabel\nclips/small.mp4\tone\n';
    const run = cli(['extract', '-', '--input', input, '--out', tabs], {
      cwd: folder,
      input: text,
    });
    expect(run.status).toBe(0);
    expect(rows(tabs)).toMatchObject([{ index: 0, path: 'clips/small.mp4', label: 'one' }]);
  });

  test.each([
    ['a.csv', 'file,label\nx.mp4,1\n', /line 2 of .*a\.csv.*|column 'path'/],
    ['b.csv', 'path,label\nx.mp4\n', /b\.csv: .*line 2/],
    ['c.jsonl', '{"path":"x.mp4","label":1}\n{"path":"y.mp4"}\n', /column 'label'.* line 2 of/],
    [
      'd.jsonl',
      '{"path":"x.mp4","label":1}\n{"path":"y.mp4","label":"1"}\n',
      /number for column 'label'/,
    ],
    ['e.jsonl', '{"path":"x.mp4"}\n{"path":\n', /a JSON object in line 2 of/],
    ['f.csv', 'path,from,to\nx.mp4,3,2\n', /seconds > 3 for column 'to' in line 2/],
    ['g.csv', 'path,from\nx.mp4,soon\n', /seconds >= 0 for column 'from' in line 2/],
    ['h.csv', 'path,video\nx.mp4,3\n', /another name for column 'video'/],
    ['i.csv', 'path\n', /at least one video/],
    ['none.csv', undefined, /no such file/],
  ])('%s: what is wrong with it is said, and nothing is written', (name, text, message) => {
    if (text !== undefined) fs.writeFileSync(at(name), text);
    const { status, stderr } = extract(name, '--input', input, '--out', at('wrong'));
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
    expect(fs.existsSync(at('wrong'))).toBe(false);
  });
});

describe('what is extracted', () => {
  test('a preset with the files of its checkpoint, and one whose checkpoints are alike', () => {
    const out = at('preset');
    expect(extract('clips/small.mp4', '--input', 'videomae', '--out', out).status).toBe(0);
    expect(manifestOf(out)).toMatchObject({ recipe: { kind: 'input', input: presets.videomae } });
    const config = at('preprocessor_config.json');
    const size = { shortest_edge: 96 };
    const crop = { height: 64, width: 64 };
    const type = 'VideoMAEImageProcessor';
    fs.writeFileSync(config, JSON.stringify({ image_processor_type: type, size, crop_size: crop }));
    const other = at('preset-config');
    const args = ['--input', 'videomae', '--config', config, '--out', other];
    expect(extract('clips/small.mp4', ...args).status).toBe(0);
    expect(manifestOf(other)).toMatchObject({
      tensors: { pixel_values: { shape: [1, 16, 3, 64, 64] } },
    });
  });

  test('an ES module', () => {
    fs.writeFileSync(at('own.mjs'), `export const input = ${JSON.stringify(SMALL_INPUT)};`);
    expect(extract('clips/small.mp4', '--input', 'own.mjs', '--out', at('module')).status).toBe(0);
    expect(manifestOf(at('module'))).toMatchObject({ recipe: { input: SMALL_INPUT } });
  });

  test.each([
    [[], /one of --input and --patches/],
    [['--input', 'videomae', '--patches'], /one of --input and --patches/],
    [['--input', 'videomea'], /videomae/],
    [
      ['--input', 'vivit'],
      /add --config preprocessor_config\.json of the checkpoint, or --class-defaults/,
    ],
    [
      ['--input', 'missing.json'],
      /Expected a JSON file for --input but received 'missing\.json': ENOENT/,
    ],
    [['--input', 'INPUT', '--topk', '5'], /a description that selects patches for --/],
    [['--input', 'INPUT', '--layout', 'nhwc'], /no --layout beside --input/],
    [['--input', 'INPUT', '--dtype', 'fp61'], /Expected uint8, .*bf16.* for --dtype but .*'fp61'/],
    [['--input', 'INPUT', '--decode-threads', '9999'], /--decode-threads/],
    [
      ['--input', 'onevision-encoder-codec', '--energy', 'codec', '--backend', 'gpu'],
      /'cpu' or 'auto' \(--energy is 'codec'\) for --backend/,
    ],
    [['--patches', '--energy', 'codec', '--backend', 'gpu'], /for --backend/],
    [['--input', 'INPUT', '--frames', '5', '--sample', 'count=3'], /one of --sample and --frames/],
    [['--patches', '--topk', '0'], /--topk/],
    [['--patches', '--config', 'x.json'], /no --config/],
    [['--input', 'INPUT', '--shard', '3/3'], /i\/n with 0 <= i < n/],
    [['--input', 'INPUT', '--shard', 'auto'], /SLURM_ARRAY_TASK_ID/],
    [['--input', 'INPUT', '--jobs', '0'], /integer >= 1/],
  ])('%j is refused, and nothing is written', (args, message) => {
    const named = args.map((arg) => (arg === 'INPUT' ? input : arg));
    const { status, stderr } = extract('clips', '--out', at('refused'), ...named);
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
    expect(fs.existsSync(at('refused'))).toBe(false);
  });

  test('names of tensors that no member can have', () => {
    const spec = { ...SMALL_INPUT, tensors: { 'a.b': SMALL_INPUT.tensors.pixel_values } };
    fs.writeFileSync(at('dots.json'), JSON.stringify(spec));
    const { status, stderr } = extract('clips', '--input', 'dots.json', '--out', at('refused'));
    expect([status, fs.existsSync(at('refused'))]).toEqual([1, false]);
    expect(stderr).toMatch(/letters, digits, _ and -.*'a\.b'/);
  });

  test('names with capital letters: not of .npy members, which are read in lower case', async () => {
    const spec = { ...SMALL_INPUT, tensors: { pixelValues: SMALL_INPUT.tensors.pixel_values } };
    fs.writeFileSync(at('capital.json'), JSON.stringify(spec));
    const out = at('capital');
    const args = ['clips/small.mp4', '--input', 'capital.json', '--out', out];
    const { status, stderr } = extract(...args);
    expect([status, fs.existsSync(out)]).toEqual([1, false]);
    expect(stderr).toMatch(/name in lower case .*'pixelValues'.*--members safetensors/);
    expect(extract(...args, '--members', 'safetensors')).toMatchObject({ status: 0, stderr: '' });
    const { tensors } = await openShards(out).read(0, 0);
    expect(Object.keys(tensors)).toEqual(['pixelValues']);
    expect(Object.keys(manifestOf(out)['tensors'] as object)).toEqual(['pixelValues']);
  });
});
