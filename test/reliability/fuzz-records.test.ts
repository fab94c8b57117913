/** What fuzz_options begins with is what the schema makes of options today. */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

test('node scripts/fuzz-records.mjs --check', () => {
  const script = resolve(__dirname, '../../scripts/fuzz-records.mjs');
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});
