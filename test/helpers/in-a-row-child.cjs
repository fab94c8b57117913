/**
 * Decodes videos one after the other, through the pools of one process, and prints a line for each:
 * a hash of what came out, or the error's code. Uses dist/.
 *
 *   node test/helpers/in-a-row-child.cjs LIST    (a file with a path on each line)
 */
'use strict';
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { decodeOnly } = require(path.join(__dirname, '..', '..', 'dist', 'src', 'index.js'));

async function outcomeOf(videoPath) {
  try {
    const result = await decodeOnly({ videoPath, backend: 'cpu', sequenceLength: 3 });
    const hash = createHash('sha256').update(JSON.stringify(result.frames.shape));
    hash.update(result.frames.data).update(new Float64Array(result.timestampsSec));
    result.close();
    return hash.digest('hex');
  } catch (error) {
    return error.code ?? String(error);
  }
}

(async () => {
  const outcomes = [];
  for (const videoPath of fs.readFileSync(process.argv[2], 'utf8').split('\n')) {
    outcomes.push(await outcomeOf(videoPath));
  }
  process.stdout.write(outcomes.join('\n'));
})();
