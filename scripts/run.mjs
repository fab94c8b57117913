#!/usr/bin/env node
/**
 * The commands of package.json. Each does all that it needs, from system packages to builds, and
 * does only what changed since the last time.
 *
 *   npm run demo [-- VIDEO --frames 16 …]    the demo on a video (assets/sample.mp4 without one)
 *   npm test [-- JEST ARGUMENTS]             everything; with arguments, jest with these
 *   npm run example NAME [-- ARGUMENTS]    an example of examples/
 *   npm run build | lint | format | bench
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { bin, must, root, run, Stop, together } from './lib/shell.mjs';
import {
  buildNeeds,
  ensureSystem,
  formatNeeds,
  lintNeeds,
  nvcc,
  sanitizeNeeds,
  testNeeds,
} from './lib/system.mjs';
import { buildNative, buildTypeScript, checkNode, ensurePackages } from './lib/setup.mjs';

async function build() {
  await ensureSystem(buildNeeds);
  await ensurePackages();
  await buildNative({ target: 'cps_addon' });
  await buildTypeScript();
}

/** For test/adapters/tfjs/tfjs-node.test.ts, which says when it is left out: without pip's wheel there is none. */
async function withTfjsNode() {
  const { ensureTfjsNode } = await import('./tfjs-node.mjs');
  try {
    ensureTfjsNode();
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    process.stderr.write(`tfjs-node is left out: ${error.message}\n`);
  }
}

/** For cuda_real_parser_test, which says when it is left out: NVIDIA's library is not ours to ship. */
async function withNvcuvid() {
  const { ensureNvcuvid } = await import('./nvcuvid.mjs');
  try {
    process.env.CPS_NVCUVID = ensureNvcuvid();
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    process.stderr.write(`NVIDIA's parser is left out: ${error.message}\n`);
  }
}

const commands = {
  build,
  async demo(args) {
    await build();
    const cli = path.join(root, 'packages', 'cli', 'dist', 'main.js');
    const sample = ['--default-video', path.join(root, 'assets', 'sample.mp4')];
    // Paths on the command line are relative to where it was typed; npm itself moves to the root.
    const cwd = process.env.INIT_CWD ?? process.cwd();
    return run(process.execPath, [cli, ...sample, ...args], { cwd });
  },
  async test(args) {
    await ensureSystem(testNeeds);
    // Clips need no npm package: they are made while npm waits for the network.
    const { makeFixtures } = await import('./fixtures.mjs');
    await together(ensurePackages(), makeFixtures());
    const { runTests } = await import('./lib/tests.mjs');
    return runTests(args);
  },
  async lint() {
    await ensureSystem([...testNeeds, ...lintNeeds]);
    await ensurePackages();
    const { runLint } = await import('./lib/lint.mjs');
    return (await runLint()).failed > 0 ? 1 : 0;
  },
  async format() {
    await ensureSystem(formatNeeds);
    await ensurePackages();
    const { runFormat } = await import('./lib/lint.mjs');
    return runFormat();
  },
  /** What .ci/run calls: test, sanitizers (in short), runtimes and lint, and one line that adds them up. */
  async ci() {
    const counts = { passed: 0, failed: 0 };
    process.env.CPS_LONG ??= '1'; // tests in full (CONTRIBUTING.md)
    // A GPU path that does not compile is a failure here, not a part that is left out.
    if (nvcc()) {
      process.env.npm_cmake_CPS_ENABLE_CUDA ??= 'ON';
      process.env.CPS_EXPECT_CUDA = '1';
    }
    try {
      await ensureSystem([...testNeeds, ...sanitizeNeeds, ...lintNeeds]);
      await ensurePackages();
      await withTfjsNode();
      await withNvcuvid();
      // Ten minutes of two processors the first time, so only when it is asked for.
      if (process.env.CPS_PREBUILT) {
        const { prebuild } = await import('./lib/prebuild.mjs');
        await prebuild(process.arch);
      }
      const { runTests, testReport, total } = await import('./lib/tests.mjs');
      const { runLint } = await import('./lib/lint.mjs');
      const code = await runTests([]);
      const tests = total(testReport());
      const { runSanitized } = await import('./lib/sanitize.mjs');
      const { cacheDir } = await import('./fixtures.mjs');
      const sanitized = await runSanitized(cacheDir);
      const { runRuntimes } = await import('./lib/runtimes.mjs');
      const runtimes = await runRuntimes(path.join(cacheDir, 'h264_bpyramid.mp4'));
      const parts = [sanitized, runtimes, await runLint()];
      counts.passed = parts.reduce((sum, part) => sum + part.passed, tests.passed);
      counts.failed = parts.reduce((sum, part) => sum + part.failed, Math.max(tests.failed, code));
    } catch (error) {
      process.stderr.write(`\n${error instanceof Stop ? error.message : error.stack}\n`);
      counts.failed += 1;
    }
    process.stdout.write(`${counts.passed} passed, ${counts.failed} failed\n`);
    return counts.failed > 0 ? 1 : 0;
  },
  async example([name, ...args]) {
    const names = fs
      .readdirSync(path.join(root, 'examples'))
      .filter((file) => file.endsWith('.ts'))
      .map((file) => path.basename(file, '.ts'));
    if (!names.includes(name))
      throw new Stop(`Expected one of ${names.join(', ')} but received ${name}`);
    await build();
    await must(run(bin('tsc'), ['-p', path.join(root, 'tsconfig.examples.json')]), 'The build');
    const script = path.join(root, 'build', 'examples', `${name}.js`);
    return run(process.execPath, [script, ...args], { cwd: process.cwd() });
  },
  async bench(args) {
    await ensureSystem([...buildNeeds, 'ffmpeg']);
    await build();
    const script = path.join(root, 'bench', 'run.mjs');
    if (!fs.existsSync(script)) throw new Stop('There is no bench/run.mjs in this checkout');
    return run(process.execPath, [script, ...args]);
  },
};

const [name, ...rest] = process.argv.slice(2);
const args = rest[0] === '--' ? rest.slice(1) : rest;
try {
  checkNode();
  const command = commands[name];
  if (!command)
    throw new Stop(`Expected one of ${Object.keys(commands).join(', ')} but received ${name}`);
  process.exitCode = (await command(args)) ?? 0;
} catch (error) {
  process.stderr.write(`\n${error instanceof Stop ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
