/** What has made a shard. */
import { createRequire } from 'node:module';
import { buildInfo } from 'codec-patch-stream';

const load = createRequire(__filename);
const versionOf = (manifest: string): string => (load(manifest) as { version: string }).version;

/** Of the packages: shards of two versions may differ. */
export const packageVersions = (): Readonly<Record<string, string>> => ({
  'codec-patch-stream': versionOf('codec-patch-stream/package.json'),
  'codec-patch-stream-cli': versionOf('../../package.json'),
});

let known: Readonly<Record<string, string>> | undefined;

export const versions = (): Readonly<Record<string, string>> =>
  (known ??= { ...packageVersions(), FFmpeg: buildInfo().ffmpeg });
