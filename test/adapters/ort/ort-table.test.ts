/**
 * Our own list of entries of ONNX Runtime's C API (native/ort/api.h) against a real header. The header
 * is not ours to ship: it comes out of an npm package (150 MB) in the long form of the tests, or lies
 * in build/ort-header already.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { repoRoot } from '../../helpers/fixtures.js';
import { longForm } from '../../helpers/long-form.js';

const PACKAGE = 'com.github.asus4.onnxruntime@0.4.9'; // the header of API 29, MIT
const NAME = 'onnxruntime_c_api.h';
const cache = path.join(repoRoot, 'build', 'ort-header');

/** The folder with the header, or why there is none. */
function findHeader(): { folder: string } | { missing: string } {
  if (fs.existsSync(path.join(cache, NAME))) return { folder: cache };
  if (!longForm) return { missing: 'CPS_LONG=1 fetches the header' };
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-ort-header-'));
  try {
    const options = { cwd: work, encoding: 'utf8', timeout: 240_000 } as const;
    const pack = spawnSync('npm', ['pack', '--silent', PACKAGE], options);
    const file = pack.stdout.trim().split('\n').at(-1) ?? '';
    if (pack.status !== 0) return { missing: `npm pack ${PACKAGE} failed` };
    execFileSync('tar', ['-xzf', file, '--wildcards', '*/onnxruntime*.h'], { cwd: work });
    const found = fs.readdirSync(work, { recursive: true, encoding: 'utf8' });
    const header = found.find((entry) => path.basename(entry) === NAME);
    if (header === undefined) return { missing: `${PACKAGE} has no ${NAME}` };
    fs.mkdirSync(cache, { recursive: true });
    fs.cpSync(path.dirname(path.join(work, header)), cache, { recursive: true });
    return { folder: cache };
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

const compile = (folder: string, list: string): { status: number | null; stderr: string } => {
  const source = path.join(repoRoot, 'test', 'native', 'ort', 'table_check.cpp');
  const args = ['-std=c++20', '-fsyntax-only', '-w', '-isystem', folder, '-I', list, source];
  return spawnSync('g++', args, { encoding: 'utf8' });
};

const header = findHeader();
const name = 'places and types are those of the real header';
if ('missing' in header) {
  test.skip(`${name} (left out: ${header.missing})`, () => undefined);
} else {
  const { folder } = header;
  const ours = path.join(repoRoot, 'native');

  test(name, () => {
    const { status, stderr } = compile(folder, ours);
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  test('a wrong place and a wrong type are noticed', () => {
    const work = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-ort-table-'));
    fs.mkdirSync(path.join(work, 'ort'));
    const text = fs.readFileSync(path.join(ours, 'ort', 'api.h'), 'utf8');
    const broken = text
      .replace('X(97, ReleaseRunOptions,', 'X(96, ReleaseRunOptions,')
      .replace('Status*(SessionOptions*, int)', 'Status*(SessionOptions*, int64_t)');
    expect(broken).not.toBe(text);
    fs.writeFileSync(path.join(work, 'ort', 'api.h'), broken);
    const { stderr } = compile(folder, work);
    fs.rmSync(work, { recursive: true, force: true });
    expect(stderr).toContain('place of ReleaseRunOptions');
    expect(stderr).toContain('type of SetIntraOpNumThreads');
  });
}
