/** `npm test`: fixtures, ctest, jest, type tests. All of it runs even when a part fails. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { cacheDir, makeFixtures } from '../fixtures.mjs';
import { buildNative, buildTypeScript } from './setup.mjs';
import { bin, root, run, step, together } from './shell.mjs';

const reportDir = path.join(root, 'build', 'reports');

export const total = (parts) => ({
  passed: parts.reduce((sum, part) => sum + part.passed, 0),
  failed: parts.reduce((sum, part) => sum + part.failed, 0),
});

/** The exit status. What each part counted is left in build/reports/tests.json for .ci/run. */
export async function runTests(args) {
  fs.rmSync(reportDir, { recursive: true, force: true });
  fs.mkdirSync(reportDir, { recursive: true });
  // In the long form benchmarks and what only a GPU runs as well, so that they keep compiling.
  const everything = Number(process.env.CPS_LONG ?? 0) > 0;
  const gpuTests = everything || fs.existsSync('/dev/nvidia0');
  await together(
    buildNative({ tests: true, bench: everything, gpuTests }),
    buildTypeScript(),
    makeFixtures(),
  );
  const env = { ...process.env, CPS_FIXTURES: cacheDir };
  if (args.length > 0) return run(bin('jest'), args, { env });

  const [ctest, typed] = await Promise.all([native(env), types()]);
  const parts = [ctest, await jest(env), typed];
  fs.writeFileSync(path.join(reportDir, 'tests.json'), `${JSON.stringify(parts, null, 1)}\n`);
  for (const { name, passed, failed } of parts) {
    process.stdout.write(`${name}: ${passed} passed, ${failed} failed\n`);
  }
  return total(parts).failed > 0 ? 1 : 0;
}

/** The parts of the last run: [{ name, passed, failed }]. */
export function testReport() {
  return JSON.parse(fs.readFileSync(path.join(reportDir, 'tests.json'), 'utf8'));
}

async function native(env) {
  step('native tests (ctest)');
  const report = path.join(reportDir, 'ctest.xml');
  const args = ['--test-dir', path.join(root, 'build'), '--output-on-failure', '--no-tests=error'];
  args.push('-j', String(os.availableParallelism()), '--output-junit', report, '--progress');
  const code = await run('ctest', args, { env });
  const xml = fs.existsSync(report) ? fs.readFileSync(report, 'utf8') : '';
  const count = (name) => Number(xml.match(new RegExp(`\\b${name}="(\\d+)"`))?.[1] ?? 0);
  const failed = count('failures');
  // Skipped tests count as neither; a run that dies without a report counts as a failure.
  const passed = count('tests') - failed - count('skipped') - count('disabled');
  return { name: 'ctest', passed, failed: code !== 0 ? Math.max(1, failed) : failed };
}

// Files that bound times or watch the memory of their process: one at a time, nothing beside them.
const ALONE =
  'test/reliability/(event-loop|lifecycle|limits|long-life|robust|worker-threads)\\.test';

async function jest(env) {
  step('jest');
  const beside = ['--testPathIgnorePatterns', ALONE, '--maxWorkers', '100%'];
  const alone = ['--testPathPatterns', ALONE, '--maxWorkers', '1'];
  const parts = [await runJest('jest.json', beside, env)];
  parts.push(await runJest('jest-alone.json', alone, env));
  return { name: 'jest', ...total(parts) };
}

async function runJest(name, args, env) {
  const report = path.join(reportDir, name);
  const code = await run(bin('jest'), [...args, '--json', '--outputFile', report], {
    env,
    // --json also prints the report; the readable account comes on stderr.
    stdio: ['inherit', 'ignore', 'inherit'],
  });
  const result = fs.existsSync(report) ? JSON.parse(fs.readFileSync(report, 'utf8')) : {};
  const failed = (result.numFailedTests ?? 0) + (result.numRuntimeErrorTestSuites ?? 0);
  const passed = result.numPassedTests ?? 0;
  return { passed, failed: code !== 0 ? Math.max(1, failed) : failed };
}

async function types() {
  step('type tests');
  const code = await run(bin('tsc'), ['-p', path.join(root, 'tsconfig.test.json')]);
  return { name: 'type tests', passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1 };
}
