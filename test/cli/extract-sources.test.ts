/** `extract` of videos on servers and in buckets; both are small servers here. */
import * as fs from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { fixturePath } from '../helpers/fixtures.js';
import { cliBeside, readTar, samplesOf, SMALL_INPUT } from '../helpers/extract.js';
import type { Ran } from '../helpers/extract.js';

const CLIP = 'h264_bpyramid.mp4';
const bytes = fs.readFileSync(fixturePath(CLIP));
let folder: string;
let server: Server;
let base: string;
let requests: string[];
let busy: number;
let tag: string;

/** What HTTP servers and S3 do: ranges, ETags, and what goes wrong. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url ?? '', 'http://localhost');
  const { range = '', 'if-match': match } = request.headers;
  requests.push(`${request.method ?? ''} ${pathname} ${range}`);
  const end = (status: number, text = ''): void => void response.writeHead(status).end(text);
  if (pathname === '/busy.mp4' && busy-- > 0) return end(503);
  if (pathname === '/never.mp4') return end(500);
  if (!/\/(clip|busy|plain|changed)\.mp4$/.test(pathname)) {
    return end(404, '<Error><Code>NoSuchKey</Code><Message>There is none</Message></Error>');
  }
  if (pathname === '/changed.mp4') tag = `"${requests.length}"`;
  response.setHeader('ETag', tag);
  if (match !== undefined && match !== tag) return end(412);
  if (request.method === 'HEAD') {
    response.writeHead(200, { 'Content-Length': bytes.length }).end();
    return;
  }
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
  if (pathname === '/plain.mp4' || first === undefined) {
    response.writeHead(200).end(bytes);
    return;
  }
  response
    .writeHead(206, { 'Content-Range': `bytes ${first}-${last}/${bytes.length}` })
    .end(bytes.subarray(Number(first), Number(last) + 1));
}

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-sources-'));
  fs.writeFileSync(path.join(folder, 'input.json'), JSON.stringify(SMALL_INPUT));
  server = createServer(answer);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => {
  requests = [];
  busy = 2;
  tag = '"1"';
});
afterAll(() => {
  server.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  AWS_ENDPOINT_URL_S3: base,
  AWS_REGION: 'none',
  AWS_ACCESS_KEY_ID: 'someone',
  AWS_SECRET_ACCESS_KEY: 'secret',
  // The SDK says which Node versions it will support.
  NODE_NO_WARNINGS: '1',
});

const extract = (out: string, ...videos: string[]): Promise<Ran> =>
  cliBeside(['extract', ...videos, '--input', 'input.json', '--out', out, '--max-failures', '9'], {
    cwd: folder,
    env: environment(),
  });

/** The pixels of each sample. */
const pixels = (out: string): (Buffer | undefined)[] =>
  [...samplesOf(path.join(folder, out, 'shard-000000.tar')).values()].map((sample) =>
    sample.get('pixel_values.npy'),
  );

test('a server and a bucket give the tensors of the file, by ranges', async () => {
  const ran = await extract('far', `${base}/clip.mp4`, 's3://videos/clip.mp4', fixturePath(CLIP));
  expect([ran.status, ran.stderr]).toEqual([0, '']);
  const [http, s3, file] = pixels('far');
  expect(file?.length).toBeGreaterThan(0);
  expect([http?.equals(file as Buffer), s3?.equals(file as Buffer)]).toEqual([true, true]);
  const reads = requests.filter((one) => one.startsWith('GET'));
  expect(reads.length).toBeGreaterThan(2);
  expect(reads.every((one) => /bytes=\d+-\d+$/.test(one))).toBe(true);
  expect(requests).toContain('HEAD /videos/clip.mp4 ');
  const names = readTar(path.join(folder, 'far', 'shard-000000.tar')).map(({ name }) => name);
  expect(names.filter((name) => name.endsWith('.json'))).toHaveLength(3);
});

test('a busy server is asked again; what cannot be had is a failure with its reason', async () => {
  const videos = ['busy', 'plain', 'gone', 'changed', 'never'].map((name) => `${base}/${name}.mp4`);
  const ran = await extract('failing', ...videos, 's3://videos/none.mp4');
  expect([ran.status, ran.stderr]).toEqual([0, '']);
  expect(pixels('failing')).toHaveLength(1);
  const manifest = fs.readFileSync(path.join(folder, 'failing', 'manifest.json'), 'utf8');
  const { failures } = JSON.parse(manifest) as { failures: { code: string; message: string }[] };
  expect(failures).toMatchObject([
    {
      index: 1,
      code: 'ERR_CPS_SOURCE',
      message: expect.stringMatching(/plain\.mp4: the server does not hear Range/) as string,
    },
    {
      index: 2,
      code: 'ERR_CPS_NOT_FOUND',
      message: expect.stringMatching(/gone\.mp4: HTTP status 404/) as string,
    },
    {
      index: 3,
      code: 'ERR_CPS_SOURCE',
      message: expect.stringMatching(/changed\.mp4 has changed while it was read/) as string,
    },
    {
      index: 4,
      code: 'ERR_CPS_SOURCE',
      message: expect.stringMatching(/never\.mp4: HTTP status 500/) as string,
    },
    {
      index: 5,
      code: 'ERR_CPS_NOT_FOUND',
      message: expect.stringMatching(/s3:\/\/videos\/none\.mp4/) as string,
    },
  ]);
  expect(requests.filter((one) => one.includes('/never.mp4'))).toHaveLength(5);
});

test('a server that was out of reach is tried again with --retry-failed, and only then', async () => {
  busy = 5;
  const failed = await extract('again', `${base}/busy.mp4`);
  expect([failed.status, pixels('again').length]).toEqual([0, 0]);
  requests = [];
  await extract('again', `${base}/busy.mp4`);
  expect([requests.length, pixels('again').length]).toEqual([0, 0]);
  await extract('again', `${base}/busy.mp4`, '--retry-failed');
  expect(pixels('again')).toHaveLength(1);
});
