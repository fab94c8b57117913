#!/usr/bin/env node
/**
 * node bench/publish.mjs [bench/results/FILE.json …]
 *
 * From the JSON of a run, or of several (of each section the first file that has it counts): what
 * stands between the performance markers of docs/lab/performance.md and of docs/performance.md (decoding), and of
 * docs/lab/performance-inputs.md (what came on top), and the charts in docs/lab/performance/. A page none of whose
 * sections was measured stays as it is. Writes figures that were measured, nothing else.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { root, Stop } from '../scripts/lib/shell.mjs';
import { times } from './lib/format.mjs';
import { checkTable, markdownTable } from './lib/report.mjs';
import { sections } from './lib/sections.mjs';
import { lineChart } from './lib/svg.mjs';

const BEGIN = '<!-- performance:begin -->';
const END = '<!-- performance:end -->';
const at = (...parts) => path.join(root, ...parts);

/** What each page holds. */
const DECODING = ['floor', 'stages', 'peers', 'growth', 'concurrency'];
const INPUTS = ['energies', 'pixels', 'frames', 'inputs'];

/** The text with what stands between the markers replaced; undefined where there are none. */
export function between(text, inside) {
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) return undefined;
  return `${text.slice(0, from + BEGIN.length)}\n\n${inside.trim()}\n\n${text.slice(to)}`;
}

const setting = ({ machine: m, quick, threads }) =>
  `Measured on ${m.date.slice(0, 10)} with ${threads} threads of ${m.cpu} (${m.memoryGiB} GiB, ` +
  `${m.system}), Node ${m.node}, FFmpeg ${m.ffmpeg}, commit ${m.commit}` +
  `${quick ? ', in a --quick run' : ''}.`;

function caveats({ machine: m, threads, elsewhere }) {
  const out = [
    'The clips are synthetic (a moving, textured scene with noise, made by bench/lib/clips.mjs); ' +
      'other material shifts all figures, the ratios less.',
    'Times are medians; ± is half the distance between the quartiles. Every call of this package ' +
      'reads the index of the file anew unless the table says otherwise.',
  ];
  const load = Math.max(m.loadBefore, m.loadAfter ?? 0);
  if (load > threads * 1.5) {
    out.push(
      `The machine was busy with other work during this run (load average ${m.loadBefore.toFixed(1)} ` +
        `before, ${(m.loadAfter ?? 0).toFixed(1)} after, on ${threads} threads): read the ratios ` +
        'and the CPU times, not the times.',
    );
  }
  for (const [commit, names] of Object.entries(elsewhere ?? {})) {
    out.push(`Sections measured at commit ${commit}: ${names.join(', ')}.`);
  }
  return out.map((line) => `- ${line}`).join('\n');
}

/** The first report with the sections that it lacks from the others; `elsewhere`: commit → titles. */
function merged([first, ...others]) {
  const report = { ...first, sections: { ...first.sections }, elsewhere: {} };
  for (const { machine, sections: more } of others) {
    for (const [name, data] of Object.entries(more)) {
      if (report.sections[name]) continue;
      report.sections[name] = data;
      if (machine.commit === first.machine.commit) continue;
      (report.elsewhere[machine.commit] ??= []).push(sections[name].title);
    }
  }
  const inOrder = Object.keys(sections).filter((name) => report.sections[name]);
  report.sections = Object.fromEntries(inOrder.map((name) => [name, report.sections[name]]));
  return report;
}

/** The short form for docs/performance.md. */
function summary(report) {
  const parts = [setting(report)];
  const { floor, peers } = report.sections;
  if (floor) {
    parts.push(
      markdownTable({
        title: 'What sampling 16 frames costs',
        note:
          'Against decoding just the packets that those frames depend on (libavcodec alone), and ' +
          'against ffmpeg decoding the whole file.',
        head: ['clip', 'packets needed', 'patchStream / floor', 'patchStream / full decode'],
        rows: floor.rows.map((r) => [
          r.clip,
          `${r.plan.packets} of ${r.plan.totalFrames}`,
          times(r.patchToFloor),
          times(r.patchToFull),
        ]),
      }),
    );
  }
  if (peers) {
    const absent = new Set(peers.clips.flatMap((c) => Object.keys(c.absent)));
    const labels = [
      ...new Set(
        peers.clips.flatMap((c) => [...c.rows.map((r) => r.label), ...Object.keys(c.broken)]),
      ),
    ];
    const cell = (c, label) => {
      if (c.broken[label]) return 'fails';
      const row = c.rows.find((r) => r.label === label);
      const wrong = row?.right !== undefined && row.right < c.frames;
      return (
        times(row?.toDecodeOnly) + (wrong ? ` (${row.right} of ${c.frames} frames right)` : '')
      );
    };
    parts.push(
      markdownTable({
        title: 'Others at the same frames',
        note:
          'Time of each as a multiple of decodeOnly; every one opens the file anew. Other frames than the ' +
          'sampled ones are counted.' +
          (absent.size > 0 ? ` Not installed: ${[...absent].join(', ')}.` : ''),
        head: ['', ...peers.clips.map((c) => c.clip)],
        rows: labels
          .filter((label) => label !== 'decodeOnly')
          .map((label) => [label, ...peers.clips.map((c) => cell(c, label))]),
      }),
    );
  }
  parts.push(
    `${caveats(report)}\n\nEverything measured: [lab/performance.md](lab/performance.md).`,
  );
  return parts.join('\n\n');
}

/** A report of some of its sections; undefined where it has none of them. */
function part(report, names) {
  const kept = Object.entries(report.sections).filter(([name]) => names.includes(name));
  if (kept.length === 0) return undefined;
  const checks = kept.flatMap(([name, data]) => sections[name].checks(data));
  return { ...report, sections: Object.fromEntries(kept), checks };
}

function page(report) {
  const parts = [
    '## Figures',
    '',
    setting(report),
    '',
    caveats(report),
    '',
    markdownTable(checkTable(report.checks)),
  ];
  for (const [name, data] of Object.entries(report.sections)) {
    const section = sections[name];
    parts.push(`### ${section.title}`, '');
    for (const table of section.tables(data)) parts.push(markdownTable(table, 4));
    for (const chart of section.charts?.(data) ?? []) {
      fs.writeFileSync(at('docs', 'lab', 'performance', chart.file), lineChart(chart));
      parts.push(`![${chart.title}](performance/${chart.file})`, '');
    }
  }
  return parts.join('\n');
}

function main() {
  const files = process.argv.slice(2);
  if (files.length === 0) files.push(at('bench', 'results', 'local.json'));
  for (const file of files) {
    if (!fs.existsSync(file)) throw new Stop(`There is no ${file}; npm run bench makes one.`);
  }
  const report = merged(files.map((file) => JSON.parse(fs.readFileSync(file, 'utf8'))));
  fs.mkdirSync(at('docs', 'lab', 'performance'), { recursive: true });
  const [decoding, inputs] = [part(report, DECODING), part(report, INPUTS)];
  for (const [name, inside] of [
    ['docs/lab/performance.md', decoding && page(decoding)],
    ['docs/performance.md', decoding && summary(decoding)],
    ['docs/lab/performance-inputs.md', inputs && page(inputs)],
  ]) {
    if (!inside) continue;
    const target = at(name);
    const text = between(fs.readFileSync(target, 'utf8'), inside);
    if (!text) throw new Stop(`${name} has no ${BEGIN} … ${END}; nothing was written there.`);
    fs.writeFileSync(target, text);
  }
}

try {
  main();
} catch (error) {
  process.stderr.write(`${error instanceof Stop ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
