/**
 * What bare-root.sh runs last: a root with Node, its libraries and the project alone, as in a distroless image; no shell,
 * read-only but for /tmp, as in AWS Lambda; a user who owns nothing.
 */
import assert from 'node:assert';
import * as fs from 'node:fs';
import { patchStream } from 'codec-patch-stream';

process.chdir('/opt/project');
assert.throws(() => fs.writeFileSync('/file', ''));
assert(!fs.existsSync('/bin/sh'));
await import('./five-lines.mjs');
for (const indexes of ['made', 'read']) {
  const stream = await patchStream({
    videoPath: 'video.mp4',
    readerCacheDir: '/tmp/index',
    readerCacheSize: 0,
  });
  assert(fs.readdirSync('/tmp/index').length > 0);
  console.log(
    `read-only, user ${process.getuid()}: index ${indexes}, patches ${stream.patches.shape}`,
  );
  stream.close();
}
