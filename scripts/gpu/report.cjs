// One JSON and one table out of what gpu-check.sh collected: node report.cjs OUTDIR
'use strict';
const fs = require('node:fs');
const path = require('node:path');

const out = process.argv[2];
const read = (name) => {
  try {
    return fs.readFileSync(path.join(out, name), 'utf8');
  } catch {
    return '';
  }
};
const json = (name) => {
  try {
    return JSON.parse(read(name));
  } catch {
    return null;
  }
};

const steps = read('steps.tsv')
  .trim()
  .split('\n')
  .map((line) => line.split('\t'))
  .map(([name, status, seconds]) => ({ name, status, seconds: Number(seconds) }));
const tests = {};
for (const file of fs.readdirSync(out).filter((name) => name.endsWith('_test.json'))) {
  const report = json(file);
  if (!report) continue;
  const all = report.testsuites.flatMap((suite) => suite.testsuite);
  tests[file.replace('.json', '')] = {
    passed: all.filter((t) => t.result === 'COMPLETED' && !t.failures).length,
    failed: all.filter((t) => t.failures).map((t) => `${t.classname}.${t.name}`),
    skipped: all.filter((t) => t.result === 'SKIPPED').length,
  };
}
// Decoder use in percent, of the samples in which it worked at all.
const dmon = read('dmon.log').split('\n');
const columns = (dmon.find((line) => line.startsWith('# gpu')) ?? '').slice(1).trim().split(/\s+/);
const decoderUse = dmon
  .filter((line) => line && !line.startsWith('#'))
  .map((line) => Number(line.trim().split(/\s+/)[columns.indexOf('dec')]))
  .filter((use) => use > 0);

const results = {
  version: read('machine.log').match(/^codec-patch-stream .*$/m)?.[0] ?? '',
  facts: json('facts.json'),
  steps,
  tests,
  benchmark: json('benchmark.json'),
  decoderUsePercent: decoderUse.length
    ? { samples: decoderUse.length, max: Math.max(...decoderUse) }
    : null,
};
fs.writeFileSync(path.join(out, 'gpu-results.json'), JSON.stringify(results, null, 2) + '\n');

const rows = [];
const row = (what, value) => rows.push([what, String(value)]);
row('build', results.version);
row('GPU', results.facts?.device?.map((d) => d.name).join(', ') || results.facts?.whyNotProcess);
row(
  'NVDEC formats',
  results.facts?.nvdec?.map((n) => n.format).join('; ') || results.facts?.whyNotDecode,
);
for (const { name, status, seconds } of steps)
  row(name, `${status === '0' ? 'ok' : status}, ${seconds} s`);
for (const [name, t] of Object.entries(tests)) {
  row(
    name,
    `${t.passed} passed, ${t.failed.length} failed, ${t.skipped} skipped ${t.failed.join(' ')}`,
  );
}
for (const s of results.benchmark?.stages ?? []) {
  row(
    `${s.width}x${s.height}, ${s.frames} frames`,
    `after decode ${s.afterDecodeMs} ms; cells ${s.cellsMs}, match ${s.matchMs}, scores ${s.scoresMs}, ` +
      `top-k ${s.topKMs}, gather ${s.gatherMs}, all ${s.allMs} ms`,
  );
}
for (const clip of results.benchmark?.decoding ?? []) {
  for (const s of clip.streams) {
    row(
      `${clip.clip}, ${s.streams} streams`,
      `${s.sourceFps.toFixed(0)} pictures/s, bare NVDEC ${s.bareFps.toFixed(0)} (${(100 * s.ratio).toFixed(0)} %)`,
    );
  }
}
const width = Math.max(...rows.map(([what]) => what.length));
for (const [what, value] of rows) console.log(`${what.padEnd(width)}  ${value}`);
