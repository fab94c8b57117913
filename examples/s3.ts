/**
 * Patches of videos in an S3 bucket, without downloading them: only the bytes that the sampled frames
 * need are read, a MiB or two at a time.
 *
 *   npm run example s3 -- s3://BUCKET/KEY... [--patches 512] [--endpoint http://localhost:9000]
 *
 * Region and credentials come from where the AWS SDK looks for them (AWS_REGION, AWS_PROFILE, ...).
 */
import { parseArgs } from 'node:util';
import { GetObjectCommand, HeadObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { patchStream } from 'codec-patch-stream';
import type { VideoSource } from 'codec-patch-stream';

/** An object of a bucket as a video. */
export async function s3Video(client: S3Client, bucket: string, key: string): Promise<VideoSource> {
  const object = { Bucket: bucket, Key: key };
  const { ContentLength: size = 0, ETag } = await client.send(new HeadObjectCommand(object));
  return {
    size,
    name: `s3://${bucket}/${key}`,
    version: ETag, // so that the index is kept for the next call
    async read(offset, length, { signal }) {
      const { Body } = await client.send(
        new GetObjectCommand({
          ...object,
          Range: `bytes=${offset}-${offset + length - 1}`,
          // Refused once the object is another one: frames never come of two of them.
          IfMatch: ETag,
        }),
        { abortSignal: signal },
      );
      if (!Body) throw new Error('the answer has no body');
      return Body.transformToByteArray();
    },
  };
}

export interface Read {
  readonly url: string;
  readonly patches: number;
  readonly frames: readonly number[];
  readonly reads: number;
  readonly bytes: number;
  /** Of the whole object. */
  readonly share: number;
}

/** Takes the patches of each video; what was read for them. */
export async function readPatches(
  client: S3Client,
  urls: readonly string[],
  { patches = 512, log = console.log }: { patches?: number; log?: (line: string) => void } = {},
): Promise<Read[]> {
  const all: Read[] = [];
  for (const url of urls) {
    const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(url) ?? [];
    if (bucket === undefined || key === undefined) {
      throw new Error(`Expected s3://BUCKET/KEY but received ${url}`);
    }
    const video = await s3Video(client, bucket, key);
    using stream = await patchStream({ videoPath: video, kKeep: patches });
    const { sourceReads: reads = 0, sourceBytes: bytes = 0 } = stream.timings;
    const share = bytes / video.size;
    all.push({ url, patches: stream.length, frames: stream.sampledFrameIds, reads, bytes, share });
    const megabytes = (bytes / 1e6).toFixed(1);
    log(`${url}: ${stream.length} patches, ${megabytes} MB read (${(100 * share).toFixed(0)} %)`);
  }
  return all;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { patches: { type: 'string', default: '512' }, endpoint: { type: 'string' } },
    allowPositionals: true,
  });
  if (positionals.length === 0) throw new Error('Expected s3://BUCKET/KEY of at least one video');
  const { endpoint } = values;
  // Servers other than Amazon's mostly have buckets in the path.
  const client = new S3Client(endpoint === undefined ? {} : { endpoint, forcePathStyle: true });
  await readPatches(client, positionals, { patches: Number(values.patches) });
  client.destroy();
}

if (/s3\.[jt]s$/.test(process.argv[1] ?? '')) {
  main().catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
}
