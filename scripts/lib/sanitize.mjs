/** Native tests, hostile corpus and fuzz targets under sanitizers; .ci/run and scripts/sanitize.mjs. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { capture, has, must, root, run, runQuiet, step } from './shell.mjs';

/** clang where it is: it alone has libFuzzer; gcc's sanitizers do for everything else. */
function compiler() {
  const clang = ['clang++', 'clang++-14', 'clang++-16', 'clang++-18'].find(has);
  return clang ?? 'c++';
}

const hasFuzzer = () => {
  const found = capture(compiler(), ['-print-file-name=libclang_rt.fuzzer-x86_64.a']);
  return found !== undefined && fs.existsSync(found);
};

/** A build of its own in build/<name>; optimised just enough to run, not to be slow to compile. */
async function build(name, sanitizers, targets, { fuzz = false } = {}) {
  const dir = path.join(root, 'build', name);
  step(`building ${targets.join(', ')} with ${sanitizers}`);
  await must(
    runQuiet('cmake', [
      ...['-S', root, '-B', dir, '-DCMAKE_BUILD_TYPE=None', '-DCPS_BUILD_ADDON=OFF'],
      ...['-DCPS_BUILD_TESTS=ON', '-DCPS_ENABLE_CUDA=OFF', '-DCMAKE_CXX_FLAGS=-O1 -g1'],
      ...[`-DCMAKE_CXX_COMPILER=${compiler()}`, `-DCPS_SANITIZE=${sanitizers}`],
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

/**
 * { passed, failed }. Bounded by default; `seconds` for the corpus and `fuzzSeconds` for each fuzz
 * target make it long.
 */
export async function runSanitized(
  cacheDir,
  { seconds = 60, fuzzSeconds = 20, threads = true } = {},
) {
  const counts = { passed: 0, failed: 0 };
  const env = { ...process.env, ...SETTINGS, CPS_FIXTURES: cacheDir };
  const one = async (name, command, args) => {
    step(name);
    const ok = (await run(command, args, { env })) === 0;
    counts[ok ? 'passed' : 'failed'] += 1;
  };
  const fuzz = hasFuzzer();
  const sanitizers = `address,undefined${fuzz ? ',fuzzer-no-link' : ''}`;
  const targets = ['hostile_corpus', ...(fuzz ? ['fuzz_decode'] : [])];
  const asan = await build('asan', sanitizers, targets, { fuzz });
  await one('hostile corpus, address and undefined behaviour', asan('hostile_corpus'), [
    ...['--per-clip', seconds > 300 ? '0' : '4', '--seconds', String(seconds)],
  ]);
  if (fuzz) {
    const found = path.join(root, 'build', 'fuzz');
    fs.mkdirSync(path.join(found, 'corpus'), { recursive: true });
    await one('fuzz: demux, index, plan, decode', asan('fuzz_decode'), [
      ...[`-max_total_time=${fuzzSeconds}`, '-timeout=30', '-rss_limit_mb=3000', '-max_len=65536'],
      ...['-print_final_stats=1', `-artifact_prefix=${found}/`, path.join(found, 'corpus')],
      path.join(root, 'test', 'native', 'fuzz_seeds'),
    ]);
  }
  if (threads) {
    const tsan = await build('tsan', 'thread', ['robust_faults_test']);
    await one('concurrency, data races', tsan('robust_faults_test'), [
      '--gtest_filter=Concurrency*',
    ]);
  }
  return counts;
}
