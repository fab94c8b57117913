/** Which files a pattern means, and manifests that are none. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { openShards } from '../../src/shards/index.js';
import { COUNTS, folder, INPUT, inputSample, write } from '../helpers/shard-sets.js';

let inputs: string;
beforeAll(() => {
  inputs = write('inputs', inputSample, INPUT);
});

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const files = (pattern: string | string[]): string[] =>
  openShards(pattern).files.map((file) => path.relative(inputs, file));

test('folders, manifests, braces, wildcards, lists', () => {
  const all = COUNTS.map((_, i) => `shard-00000${i}.tar`);
  expect(files(inputs)).toEqual(all);
  expect(files(path.join(inputs, 'manifest.json'))).toEqual(all);
  expect(files(`${inputs}/*.tar`)).toEqual(all);
  expect(files(`${path.dirname(inputs)}/inp*/shard-00000?.tar`)).toEqual(all);
  expect(files(`${inputs}/shard-{000001..000003}.tar`)).toEqual(all.slice(1, 4));
  expect(files(`${inputs}/shard-00000{4,0}.tar`)).toEqual([all[4], all[0]]);
  expect(files([`${inputs}/shard-000003.tar`, `${inputs}/*0.tar`])).toEqual([all[3], all[0]]);
  const before = process.cwd();
  process.chdir(folder);
  expect(files('inputs/*.tar')).toEqual(all);
  process.chdir(before);
});

test.each([
  ['nothing there', '/none/*.tar', 'ERR_CPS_NOT_FOUND'],
  ['a shard of a range is missing', 'IN/shard-{000000..000005}.tar', 'ERR_CPS_NOT_FOUND'],
  ['twice', ['IN', 'IN/shard-000000.tar'], 'ERR_CPS_INVALID_ARGUMENT'],
  ['no path', '', 'ERR_CPS_INVALID_ARGUMENT'],
  ['no path at all', 5, 'ERR_CPS_INVALID_ARGUMENT'],
  ['backwards', 'IN/{9..1}.tar', 'ERR_CPS_INVALID_ARGUMENT'],
  ['a billion files', 'IN/{0..999999999}.tar', 'ERR_CPS_INVALID_ARGUMENT'],
])('%s', (_, pattern, code) => {
  const put = (text: string): string => text.replace('IN', inputs);
  const given = Array.isArray(pattern)
    ? pattern.map(put)
    : typeof pattern === 'string'
      ? put(pattern)
      : pattern;
  expect(() => openShards(given as string)).toThrow(expect.objectContaining({ code }) as Error);
});

test('manifests that are none, or lead elsewhere', () => {
  const bad = path.join(folder, 'bad');
  fs.mkdirSync(bad);
  const open = (text: string): (() => unknown) => {
    fs.writeFileSync(path.join(bad, 'manifest.json'), text);
    return () => openShards(bad);
  };
  const base = {
    format: 'codec-patch-stream shards',
    formatVersion: 1,
    layout: 'webdataset',
    tensors: {},
  };
  const corrupt = [
    ...['', '[]', 'null', '{}', JSON.stringify({ ...base, shards: 5 })],
    ...[{ file: '../../etc/passwd', samples: 1 }, { file: 'a.tar', samples: -1 }, null].map(
      (shard) => JSON.stringify({ ...base, shards: [shard] }),
    ),
    JSON.stringify({ ...base, shards: [], tensors: { a: { dtype: 'float32', shape: 'x' } } }),
  ];
  for (const text of corrupt) {
    expect(open(text)).toThrow(expect.objectContaining({ code: 'ERR_CPS_CORRUPT' }) as Error);
  }
  for (const change of [{ formatVersion: 2 }, { layout: 'onevision' }]) {
    expect(open(JSON.stringify({ ...base, shards: [], ...change }))).toThrow(
      expect.objectContaining({ code: 'ERR_CPS_UNSUPPORTED' }) as Error,
    );
  }
});
