/** What x264 spends on each patch: the measure that energies are held against. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { root } from '../../scripts/lib/shell.mjs';

export const FORMS = ['frame', 'interval', 'raw'];
/** Other ways to read the design's text, in the order of the program's output; the first is the measure. */
export const READINGS = ['', ', not cut', ', fractions', ', fractions, not cut'];
export const MEASURES = READINGS.flatMap((reading) => FORMS.map((form) => form + reading));

// One reference, the picture before; no B pictures; a key picture every 16, wherever cuts are.
const X264 = 'keyint=16:min-keyint=16:scenecut=0:bframes=0:ref=1';

/**
 * Of the frames `ids` (ascending): `maps`, of each of MEASURES float32 [T, rows, cols], and `mostResidual`, what the luma
 * of a patch differs from its prediction at most, in levels, added up since the sampled frame before.
 */
export function oracleOf(file, ids, { h, w }) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-oracle-'));
  try {
    const encoded = path.join(folder, 'oracle.mp4');
    execFileSync('ffmpeg', [
      ...['-v', 'error', '-i', file, '-map', '0:v:0', '-fps_mode', 'passthrough'],
      // Even sides, as 4:2:0 has them.
      ...['-vf', 'crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0,format=yuv420p', '-c:v', 'libx264'],
      ...['-preset', 'medium', '-crf', '23', '-x264-params', X264, encoded],
    ]);
    const program = path.join(root, 'build', 'bench', 'native', 'cps_oracle');
    const bytes = execFileSync(program, [encoded, `${h}`, `${w}`, ...ids.map(String)], {
      maxBuffer: 2 ** 30,
    });
    const size = ids.length * h * w;
    const all = new Float32Array(
      bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
    );
    if (all.length !== MEASURES.length * size + 1)
      throw new Error(`cps_oracle gave ${all.length} values`);
    const maps = MEASURES.map((name, i) => [name, all.subarray(i * size, (i + 1) * size)]);
    return { maps: Object.fromEntries(maps), mostResidual: all.at(-1) };
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
