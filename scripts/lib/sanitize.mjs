/** Native tests, hostile corpus and fuzz targets under sanitizers; .ci/run and scripts/sanitize.mjs. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { forgetForeignCache } from './setup.mjs';
import { has, must, root, run, runQuiet, step } from './shell.mjs';
import { clangTool, hasFuzzer, missingPackages } from './system.mjs';

const hasNvdec = missingPackages(['nvcodec']).length === 0;

/** A build of its own in build/<name>; optimised just enough to run, not to be slow to compile. */
async function build(name, sanitizers, targets, { fuzz = false } = {}) {
  const dir = path.join(root, 'build', name);
  forgetForeignCache(dir);
  step(`building ${targets.join(', ')} with ${sanitizers}`);
  await must(
    runQuiet('cmake', [
      ...['-S', root, '-B', dir, '-DCMAKE_BUILD_TYPE=None', '-DCPS_BUILD_ADDON=OFF'],
      ...['-DCPS_BUILD_TESTS=ON', '-DCMAKE_CXX_FLAGS=-O1 -g1'],
      `-DCPS_ENABLE_CUDA=${hasNvdec ? 'AUTO' : 'OFF'}`,
      ...[`-DCMAKE_CXX_COMPILER=${clangTool('clang++') ?? 'c++'}`, `-DCPS_SANITIZE=${sanitizers}`],
      `-DCPS_BUILD_FUZZ=${fuzz ? 'ON' : 'OFF'}`,
      ...(has('ninja') ? ['-G', 'Ninja'] : []),
    ]),
    `Configuring build/${name}`,
  );
  const jobs = `--parallel=${os.availableParallelism()}`;
  const args = ['--build', dir, jobs, ...targets.flatMap((t) => ['--target', t])];
  await must(runQuiet('cmake', args), `Building build/${name}`);
  return (target) => path.join(dir, 'test', 'native', target);
}

// LeakSanitizer needs ptrace, which containers often refuse; leaks are counted by the tests.
const SETTINGS = {
  ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1:allocator_may_return_null=1',
  UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
  // FFmpeg's own libraries are not instrumented: what only they touch cannot be judged.
  TSAN_OPTIONS: `suppressions=${path.join(root, 'scripts', 'tsan.supp')}:halt_on_error=1`,
};

const FUZZ = {
  fuzz_decode: { seeds: 'decode', maxBytes: 65536, name: 'fuzz: demux, index, plan, decode' },
  fuzz_index: { seeds: 'index', maxBytes: 256, name: 'fuzz: index files that lie' },
  fuzz_options: { seeds: 'options', maxBytes: 512, name: 'fuzz: options records' },
};
const TESTS = [
  ...['core_test', 'ops_test', 'media_test', 'pipeline_test'],
  ...['robust_faults_test', 'robust_streams_test'],
];
// The GPU path over the fake driver, with the kernels' programs emulated.
const GPU = ['cuda_lifetime_test', 'cuda_decode_test', 'cuda_recovery_test'].concat([
  'cuda_failures_test',
  'cuda_pipeline_test',
]);
const RACED = ['media_test', 'pipeline_test', 'robust_streams_test'];

/**
 * { passed, failed }. Short by default, as in .ci/run: a sample of the corpus, the fuzz targets, the
 * concurrency tests. `full`: every case of the corpus and all native tests. `seconds` bounds the
 * corpus, `fuzzSeconds` each fuzz target.
 */
export async function runSanitized(cacheDir, options = {}) {
  const { full = false, seconds = full ? 1e9 : 40, fuzzSeconds = 15 } = options;
  const counts = { passed: 0, failed: 0 };
  const env = { ...process.env, ...SETTINGS, CPS_FIXTURES: cacheDir };
  const one = async (name, command, args) => {
    step(name);
    const ok = (await run(command, args, { env })) === 0;
    counts[ok ? 'passed' : 'failed'] += 1;
  };
  const fuzz = hasFuzzer() ? Object.entries(FUZZ) : [];
  const sanitizers = `address,undefined${fuzz.length > 0 ? ',fuzzer-no-link' : ''}`;
  const gpu = hasNvdec ? GPU : [];
  const tests = full ? [...TESTS, ...gpu] : gpu.slice(0, 1);
  const targets = ['hostile_corpus', ...fuzz.map(([target]) => target), ...tests];
  const asan = await build('asan', sanitizers, targets, { fuzz: fuzz.length > 0 });
  await one('hostile corpus, address and undefined behaviour', asan('hostile_corpus'), [
    ...['--per-clip', full ? '0' : '2', '--seconds', String(seconds)],
  ]);
  for (const test of tests) await one(`${test}, address and undefined behaviour`, asan(test), []);
  for (const [target, { seeds, maxBytes, name }] of fuzz) {
    // What is learnt stays there for the next run; findings are written beside it.
    const found = path.join(root, 'build', 'fuzz', target);
    fs.mkdirSync(found, { recursive: true });
    await one(name, asan(target), [
      ...[`-max_total_time=${fuzzSeconds}`, '-timeout=60', '-rss_limit_mb=3000'],
      ...[`-max_len=${maxBytes}`, '-print_final_stats=1', '-verbosity=0'],
      ...[`-artifact_prefix=${path.join(root, 'build', 'fuzz', `${target}-`)}`, found],
      path.join(root, 'test', 'native', 'reliability', 'fuzz_seeds', seeds),
    ]);
  }
  const shared = gpu.length > 0 ? ['cuda_decode_test'] : [];
  const raced = ['robust_faults_test', ...shared, ...(full ? RACED : [])];
  const tsan = await build('tsan', 'thread', raced);
  for (const test of raced) {
    const args = full ? [] : ['--gtest_filter=Concurrency*:*ManyThreads*:*SeveralEngines*'];
    await one(`${test}, data races`, tsan(test), args);
  }
  return counts;
}
