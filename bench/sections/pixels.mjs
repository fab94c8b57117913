/** 6. What a size and a filter cost, in both calls: in one run, the same frames of the same clips. */
import { ensureClip } from '../lib/clips.mjs';
import { digits, mb, ms, range, times } from '../lib/format.mjs';
import { interleave, ratio } from '../lib/measure.mjs';
import { firstCall, Floor, openStages, peakMemory } from '../lib/subjects.mjs';

export const title = 'Pixels';

const BICUBIC = { resample: 'bicubic' };
const SMALL = {
  size: { exact: [224, 224] },
  ...BICUBIC,
  normalize: 'clip',
  outputDtype: 'fp32',
  layout: 'tchw',
};

export async function run(context) {
  const rows = [];
  for (const { clip: recipe, frames = 16 } of context.clips.pixels) {
    const { threads, subject, rounds, idleClip } = context;
    const file = await ensureClip(recipe);
    const floor = await Floor.open(file, frames, threads);
    await floor.choose();
    const stages = await openStages(file, frames, threads);
    const results = await interleave(
      {
        floor: floor.decode(),
        plain: subject.call('patchStream', file, frames),
        bicubic: subject.call('patchStream', file, frames, BICUBIC),
        whole: subject.call('decodeOnly', file, frames),
        small: subject.call('decodeOnly', file, frames, SMALL),
        filter: () => stages.ask('small'),
      },
      rounds,
    );
    await floor.close();
    await stages.close();
    const first = await interleave(
      {
        whole: firstCall('decodeOnly', file, frames),
        small: firstCall('decodeOnly', file, frames, SMALL),
      },
      rounds,
    );
    const idle = await ensureClip(idleClip);
    const memory = {
      plain: await peakMemory('patchStream', file, frames, idle),
      bicubic: await peakMemory('patchStream', file, frames, idle, BICUBIC),
      small: await peakMemory('decodeOnly', file, frames, idle, SMALL),
    };
    rows.push({
      ...{ clip: recipe.name, frames, results, memory, first },
      smallToWholeFirst: ratio(first, 'small', 'whole'),
      bicubicCpu: ratio(results, 'bicubic', 'plain', 'cpuMs'),
      smallToWhole: ratio(results, 'small', 'whole'),
      smallToFloor: ratio(results, 'small', ['floor', 'filter']),
      smallToFloorCpu: ratio(results, 'small', ['floor', 'filter'], 'cpuMs'),
      wholeToPatches: ratio(results, 'whole', 'plain'),
    });
    context.progress(tables({ rows: rows.slice(-1) }));
  }
  return { rows };
}

const after = ({ last }) => last?.timings?.afterDecodeMs;

export function tables({ rows }) {
  return [
    {
      title: 'Sizes and filters',
      note:
        "plain: patchStream, whose 'bilinear-plain' is done to selected patches alone; bicubic: every sampled " +
        'picture is resized while decoding goes on; after: milliseconds after the last frame; whole: ' +
        'decodeOnly of full frames, in the memory of the result before it; first: the same as the first call of a process, in fresh memory; small: decodeOnly to 224×224 bicubic, float32, normalised; filter: that of decoded frames alone.',
      head: [
        ...['clip', 'frames', 'floor ms', 'plain ms', 'after', 'bicubic ms', 'after', 'CPU ratio'],
        ...['plain MiB', 'bicubic MiB', 'whole ms', 'small ms', 'small/whole', 'first small/whole'],
        ...['filter ms', 'small/(floor+filter)', 'CPU time'],
        ...['small MiB', 'whole/plain'],
      ],
      rows: rows.map(({ results: r, memory, ...row }) => [
        row.clip,
        row.frames,
        ms(r.floor),
        ms(r.plain),
        digits(after(r.plain) ?? 0),
        ms(r.bicubic),
        digits(after(r.bicubic) ?? 0),
        range(row.bicubicCpu),
        mb(memory.plain.bytes),
        mb(memory.bicubic.bytes),
        ms(r.whole),
        ms(r.small),
        range(row.smallToWhole),
        range(row.smallToWholeFirst),
        ms(r.filter),
        times(row.smallToFloor),
        times(row.smallToFloorCpu),
        mb(memory.small.bytes),
        times(row.wholeToPatches),
      ]),
    },
  ];
}

export function checks({ rows }) {
  return rows.flatMap(({ clip, results, memory, ...row }) => {
    const [plain, bicubic] = [after(results.plain), after(results.bicubic)];
    const all = [
      ['CPU time, bicubic / plain', 1.08, row.bicubicCpu?.median],
      ['after the last frame (ms), bicubic', plain, bicubic],
      ['peak memory (MiB), bicubic', memory.plain.bytes / 2 ** 20, memory.bicubic.bytes / 2 ** 20],
      ['decodeOnly to 224×224 / full frames', 1, row.smallToWhole?.median],
      ['first decodeOnly to 224×224 / full frames', 1, row.smallToWholeFirst?.median],
      ['decodeOnly to 224×224 / (floor + filter)', 1.05, row.smallToFloor?.median],
      ['decodeOnly / patchStream', 1.1, row.wholeToPatches?.median],
    ];
    return all
      .filter(([, bound, value]) => bound !== undefined && value !== undefined)
      .map(([what, bound, value]) => ({
        ...{ what: `${what}, ${clip}`, bound: Number(bound.toFixed(2)), value },
        ok: value <= bound,
      }));
  });
}
