// One JSON and one table out of what gpu-check.sh collected: node report.cjs DETAILS OUTDIR
'use strict';
const fs = require('node:fs');
const path = require('node:path');

const [details, out] = process.argv.slice(2);
const read = (name) => {
  try {
    return fs.readFileSync(path.join(details, name), 'utf8');
  } catch {
    return '';
  }
};
const json = (name) => {
  try {
    return JSON.parse(read(name));
  } catch {
    return undefined;
  }
};

function gtest(name) {
  const report = json(`${name}.gtest.json`);
  if (!report) return undefined;
  const all = report.testsuites.flatMap((suite) => suite.testsuite);
  const failed = all.filter((t) => t.failures);
  return {
    passed: all.filter((t) => t.result === 'COMPLETED' && !t.failures).length,
    failed: failed.length,
    skipped: all.filter((t) => t.result === 'SKIPPED').length,
    failures: failed.map((t) => ({
      test: `${t.classname}.${t.name}`,
      why: t.failures.map((f) => f.failure.slice(0, 500)),
    })),
  };
}

function checks(list, passed) {
  return (
    list && {
      passed: list.filter(passed).length,
      failed: list.filter((check) => !passed(check)).length,
      skipped: 0,
      checks: list,
    }
  );
}

const steps = read('steps.tsv')
  .trim()
  .split('\n')
  .map((line) => line.split('\t'))
  .map(([name, status, seconds, reason]) => {
    const tests =
      gtest(name) ??
      (name.startsWith('js_') ? checks(json(`${name}.json`), (c) => c.ok) : undefined) ??
      (name === 'faults'
        ? checks(json('faults.json')?.faults, (c) => c.result === 'ok')
        : undefined);
    return { name, status, seconds: Number(seconds), reason, tests };
  });
const count = (status) => steps.filter((step) => step.status === status).length;

const machine = read('machine.log');
const results = {
  version: machine.split('\n')[0],
  machine: {
    kernel: machine.match(/^Linux .*$/m)?.[0],
    glibc: machine.match(/^ldd .*$/m)?.[0],
    cpu: machine.match(/^model name\s*: (.*)$/m)?.[1],
    driver: machine.match(/Driver Version\s*: (.*)$/m)?.[1],
  },
  steps: { ok: count('ok'), failed: count('failed'), skipped: count('skipped'), list: steps },
  facts: json('facts.json'),
  stages: json('stages.json')?.stages,
  decoding: json('decode.json')?.decoding,
};
fs.writeFileSync(path.join(out, 'gpu-results.json'), JSON.stringify(results, null, 2) + '\n');

const rows = [];
const row = (what, value) => rows.push([what, String(value)]);
const { facts } = results;
row('build', results.version);
row('machine', [results.machine.cpu, results.machine.glibc].filter(Boolean).join('; '));
row('driver', results.machine.driver ?? 'no nvidia-smi');
row('GPU', facts?.device?.map((d) => d.name).join(', ') || facts?.whyNotProcess);
for (const n of facts?.nvdec ?? []) {
  row(
    `NVDEC ${n.format}`,
    `${n.engines} engines, ${n.minWidth}x${n.minHeight} to ${n.maxWidth}x${n.maxHeight}`,
  );
}
if (!facts?.nvdec?.length) row('NVDEC', facts?.whyNotDecode || 'no format');
for (const { name, status, seconds, reason, tests } of steps) {
  const counted = tests
    ? `${tests.passed} passed, ${tests.failed} failed, ${tests.skipped} skipped`
    : '';
  row(name, [`${status}, ${seconds} s`, counted, reason].filter(Boolean).join('; '));
  for (const { test } of tests?.failures ?? []) row('', `failed: ${test}`);
  for (const c of tests?.checks ?? []) {
    if (!(c.ok ?? c.result === 'ok')) row('', `failed: ${c.name ?? c.check}: ${c.detail}`);
  }
}
row('steps', `${count('ok')} ok, ${count('failed')} failed, ${count('skipped')} skipped`);
for (const s of results.stages ?? []) {
  row(
    `${s.width}x${s.height}, ${s.frames} frames`,
    `after decode ${s.afterDecodeMs} ms; cells ${s.cellsMs}, match ${s.matchMs}, scores ${s.scoresMs}, ` +
      `scores to the host ${s.downloadMs}, gather ${s.gatherMs}, all ${s.allMs} ms; for models: ` +
      `resample ${s.resampleMs}, values ${s.lookUpMs}, arrange ${s.arrangeMs} ms; energy 'adjacent' ` +
      `${s.adjacentMs} ms; over the bus ` +
      `${s.bytesToDevice} bytes there, ${s.bytesFromDevice} back`,
  );
}
for (const clip of results.decoding ?? []) {
  if (clip.error) row(clip.clip ?? 'clip', clip.error);
  for (const s of clip.streams ?? []) {
    row(
      `${clip.clip}, ${s.streams} streams`,
      `${s.sourceFps.toFixed(0)} pictures/s, bare NVDEC ${s.bareFps.toFixed(0)} ` +
        `(${(100 * s.ratio).toFixed(0)} %), NVDEC busy ` +
        (s.utilisationSamples
          ? `${s.utilisationPercent.toFixed(0)} %, PCIe ${s.pcieToDeviceMBps.toFixed(0)} MB/s there, ` +
            `${s.pcieFromDeviceMBps.toFixed(0)} back`
          : 'unknown'),
    );
  }
}
const width = Math.max(...rows.map(([what]) => what.length));
const table = rows.map(([what, value]) => `${what.padEnd(width)}  ${value}\n`).join('');
fs.writeFileSync(path.join(out, 'gpu-results.txt'), table);
process.stdout.write(table);
