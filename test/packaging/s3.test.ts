/** examples/s3.ts with the AWS SDK, against a small server that speaks as much of S3 as that needs. */
import * as fs from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { S3Client } from '@aws-sdk/client-s3';
import { readPatches, s3Video } from '../../examples/s3.js';
import { decodeOnly, patchStream } from '../../src/index.js';
import { fixturePath } from '../helpers/fixtures.js';

const CLIP = 'lossless_444.mp4';
const bytes = fs.readFileSync(fixturePath(CLIP));
let etag = '"1"';
let ranges: string[] = [];

/** GET and HEAD of /videos/KEY with Range and If-Match. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url ?? '', 'http://localhost');
  const { range = '', 'if-match': match } = request.headers;
  response.setHeader('ETag', etag);
  if (pathname !== `/videos/${CLIP}`) {
    response
      .writeHead(404)
      .end('<Error><Code>NoSuchKey</Code><Message>There is none</Message></Error>');
  } else if (match !== undefined && match !== etag) {
    response.writeHead(412).end('<Error><Code>PreconditionFailed</Code></Error>');
  } else if (request.method === 'HEAD') {
    response.writeHead(200, { 'Content-Length': bytes.length }).end();
  } else {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
    ranges.push(range);
    response
      .writeHead(206, { 'Content-Range': `bytes ${first}-${last}/${bytes.length}` })
      .end(bytes.subarray(Number(first), Number(last) + 1));
  }
}

const server = createServer(answer);
let client: S3Client;
beforeAll(async () => {
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  client = new S3Client({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    forcePathStyle: true,
    region: 'none',
    credentials: { accessKeyId: 'someone', secretAccessKey: 'secret' },
    maxAttempts: 1,
  });
});
afterAll(() => {
  client.destroy();
  server.close();
});

test('patches of an object are those of the file, and only ranges are read', async () => {
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  const [read] = await readPatches(client, [`s3://videos/${CLIP}`], { patches: 64, log });
  using expected = await patchStream({ videoPath: fixturePath(CLIP), kKeep: 64 });
  expect(read).toMatchObject({ patches: 64, frames: [...expected.sampledFrameIds] });
  expect(ranges).toHaveLength(read?.reads ?? -1);
  expect(lines).toEqual([expect.stringMatching(/64 patches, \d\.\d MB read \(\d+ %\)/)]);
  const video = await s3Video(client, 'videos', CLIP);
  using frames = await decodeOnly({ videoPath: video, sequenceLength: 3 });
  using same = await decodeOnly({ videoPath: fixturePath(CLIP), sequenceLength: 3 });
  expect(Buffer.compare(frames.frames.data as Uint8Array, same.frames.data as Uint8Array)).toBe(0);
});

test('an object that is replaced meanwhile, and one that is not there', async () => {
  ranges = [];
  const video = await s3Video(client, 'videos', CLIP);
  etag = '"2"';
  await expect(decodeOnly({ videoPath: video })).rejects.toMatchObject({
    code: 'ERR_CPS_SOURCE',
    message: expect.stringContaining(`s3://videos/${CLIP}`) as string,
    cause: { name: 'PreconditionFailed' },
  });
  expect(ranges).toEqual([]);
  await expect(s3Video(client, 'videos', 'missing.mp4')).rejects.toMatchObject({
    name: 'NotFound',
  });
});
