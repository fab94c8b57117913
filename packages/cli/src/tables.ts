/** What the command prints and what goes into summary.json. */
import Table from 'cli-table3';
import type { PatchStream } from 'codec-patch-stream';

/** One sampled frame of summary.json. */
export interface FrameReport {
  seqPos: number;
  frameId: number;
  timestampSec: number;
  isI: boolean;
  selected: number;
  /** Share of the frame's patches, 0..1. */
  share: number;
  meanScore: number;
  maxScore: number;
}

export function frameReports(stream: PatchStream, scores: Float32Array): FrameReport[] {
  const { t, h, w } = stream.grid;
  const size = h * w;
  const counts = new Array<number>(t).fill(0);
  for (const { seqPos } of stream.metadata) counts[seqPos] = (counts[seqPos] ?? 0) + 1;
  return counts.map((selected, i) => {
    const own = scores.subarray(i * size, (i + 1) * size);
    return {
      seqPos: i,
      frameId: stream.sampledFrameIds[i] ?? 0,
      timestampSec: stream.timestampsSec[i] ?? 0,
      isI: stream.isI[i] ?? false,
      selected,
      share: selected / size,
      meanScore: own.reduce((sum, v) => sum + v, 0) / size,
      maxScore: own.reduce((most, v) => Math.max(most, v), 0),
    };
  });
}

export const plainTable = {
  style: { head: [], border: [], compact: true },
  chars: Object.fromEntries(
    ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left']
      .concat(['bottom-right', 'left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'])
      .map((name) => [name, ''])
      .concat([['middle', ' ']]),
  ) as Record<string, string>,
};

function bar(share: number, width = 24): string {
  const full = Math.round(share * width);
  return '█'.repeat(full) + '·'.repeat(width - full);
}

/** The selection of every sampled frame. */
export function selectionTable(frames: readonly FrameReport[]): string {
  const table = new Table({
    ...plainTable,
    head: ['#', 'frame', 'time s', 'I', 'patches', 'of frame', '', 'mean energy', 'max'],
    colAligns: ['right', 'right', 'right', 'left', 'right', 'right', 'left', 'right', 'right'],
  });
  for (const f of frames) {
    table.push([
      f.seqPos,
      f.frameId,
      f.timestampSec.toFixed(3),
      f.isI ? 'I' : '',
      f.selected,
      `${(f.share * 100).toFixed(1)} %`,
      bar(f.share),
      f.meanScore.toFixed(2),
      f.maxScore.toFixed(2),
    ]);
  }
  return table.toString().replace(/ +$/gm, '');
}

/** Names and values in two columns. */
export function factTable(facts: readonly (readonly [string, string])[]): string {
  const table = new Table(plainTable);
  for (const [name, value] of facts) table.push([name, value]);
  return table.toString().replace(/ +$/gm, '');
}

/** "indexMs" → "index", in the order the addon gives them. */
export function timingFacts(timings: Readonly<Record<string, number>>): [string, string][] {
  return Object.entries(timings).map(([name, value]) =>
    name.endsWith('Ms')
      ? [name.slice(0, -2), `${value.toFixed(1)} ms`]
      : [name, Number.isInteger(value) ? String(value) : value.toFixed(2)],
  );
}
