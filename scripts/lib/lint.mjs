/** Formatter, linters and the checks of our own; `npm run lint` and .ci/run. */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { buildNative, buildTypeScript } from './setup.mjs';
import { bin, capture, inParallel, root, run, step, Stop } from './shell.mjs';
import { clangTool } from './system.mjs';

function tracked(folders, kinds) {
  const list = capture('git', ['ls-files', '-co', '--exclude-standard', '--', ...folders], {
    cwd: root,
  });
  return (list ?? '').split('\n').filter((f) => kinds.test(f) && fs.existsSync(path.join(root, f)));
}

const nativeSources = () =>
  tracked(['native', 'cuda', 'test/native', 'bench/native'], /\.(h|cpp|cu|cuh)$/);
/**
 * clang-tidy reads whole FFmpeg headers for each file, so it covers what everything else includes:
 * native/core and native/ffmpeg. The compilers' warnings cover the rest.
 */
const tidySources = () => tracked(['native/core', 'native/ffmpeg'], /\.cpp$/);

async function clangFormat(args) {
  const files = nativeSources();
  return files.length === 0 ? 0 : run(clangTool('clang-format'), [...args, ...files]);
}

/** How the build compiles each file, without headers that GCC has precompiled: clang cannot read them. */
function compileCommands() {
  const name = 'compile_commands.json';
  const text = fs.readFileSync(path.join(root, 'build', name), 'utf8');
  const folder = path.join(root, 'build', 'tidy');
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, name), text.replaceAll(/-include \S*cmake_pch\.hxx /g, ''));
  return folder;
}

/** One process per file, as many at once as there are processors. */
async function clangTidy() {
  // The addon's options change nothing for these files, but the build folder must know them.
  await buildNative({ target: 'cps_core' });
  const commands = compileCommands();
  const files = tidySources();
  const said = await inParallel(
    files,
    (file) =>
      new Promise((resolve) => {
        const child = spawn(clangTool('clang-tidy'), ['-p', commands, '--quiet', file], {
          cwd: root,
        });
        let out = '';
        child.stdout.on('data', (chunk) => (out += chunk));
        child.stderr.resume();
        child.on('error', (error) => resolve(`${file}: ${error.message}`));
        child.on('close', (code) =>
          resolve(code === 0 ? '' : out || `${file}: clang-tidy failed (${code})`),
        );
      }),
  );
  const findings = said.filter(Boolean);
  findings.forEach((text) => process.stderr.write(text));
  process.stderr.write(`    ${files.length} files, ${findings.length} with findings\n`);
  return findings.length > 0 || files.length === 0 ? 1 : 0;
}

/** Needs zig from PyPI; says when it is left out. */
async function macos() {
  const { checkMacos } = await import('../check-macos.mjs');
  try {
    return (await checkMacos()) > 0 ? 1 : 0;
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    process.stderr.write(`    left out: ${error.message}\n`);
    return 0;
  }
}

const node = (script, ...args) => run(process.execPath, [path.join('scripts', script), ...args]);

const checks = {
  prettier: () => run(bin('prettier'), ['--check', '--log-level', 'warn', '.']),
  eslint: () => run(bin('eslint'), ['.', '--max-warnings', '0']),
  types: () => run(bin('tsc'), ['-p', 'tsconfig.test.json']),
  layers: () => node('check-layers.mjs'),
  'file sizes': () => node('check-file-size.mjs'),
  packages: () => node('check-package.mjs'),
  'API reference': () => node('gen-api.mjs', '--check'),
  'generated files': () => node('gen-options.cjs', '--check'),
  'clang-format': () => clangFormat(['--dry-run', '-Werror']),
  'clang-tidy': clangTidy,
  'macOS on arm64': macos,
};

/** Runs every check, also after one failed; { passed, failed }. */
export async function runLint() {
  await buildTypeScript();
  const counts = { passed: 0, failed: 0 };
  const failures = [];
  for (const [name, check] of Object.entries(checks)) {
    const started = Date.now();
    step(name);
    const ok = (await check()) === 0;
    counts[ok ? 'passed' : 'failed'] += 1;
    if (!ok) failures.push(name);
    process.stderr.write(
      `    ${ok ? 'ok' : 'FAILED'} (${((Date.now() - started) / 1000).toFixed(1)} s)\n`,
    );
  }
  const failed = failures.length > 0 ? `: ${failures.join(', ')}` : '';
  process.stdout.write(`checks: ${counts.passed} passed, ${counts.failed} failed${failed}\n`);
  return counts;
}

export async function runFormat() {
  const code = await run(bin('prettier'), ['--write', '--log-level', 'warn', '.']);
  return code || clangFormat(['-i']);
}
