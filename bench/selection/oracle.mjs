/** What x264 spends on each patch: the measure that energies are held against. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { root } from '../../scripts/lib/shell.mjs';

export const FORMS = ['frame', 'interval', 'raw'];
/** Each as it is, and with what lies above a percentile cut off, as energies have it. */
export const MEASURES = [...FORMS, ...FORMS.map((form) => `${form}, cut`)];

// One reference, the picture before; no B pictures; a key picture every 16, wherever cuts are.
const X264 = 'keyint=16:min-keyint=16:scenecut=0:bframes=0:ref=1';

/** Of each of MEASURES float32 [T, rows, cols], of the frames `ids` (ascending). */
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
    if (all.length !== MEASURES.length * size)
      throw new Error(`cps_oracle gave ${all.length} values`);
    return Object.fromEntries(
      MEASURES.map((name, i) => [name, all.subarray(i * size, (i + 1) * size)]),
    );
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
