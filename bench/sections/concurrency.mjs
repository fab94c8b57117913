/** 5. Many streams at once in one process: videos per second and what the event loop feels. */
import { ensureClip } from '../lib/clips.mjs';
import { digits, ms } from '../lib/format.mjs';
import { interleave } from '../lib/measure.mjs';

export const title = 'Concurrency';

export async function run({ clips, subject, rounds, progress }) {
  const { clip, frames, streams } = clips.concurrency;
  const file = await ensureClip(clip);
  const options = { videoPath: file, sequenceLength: frames, backend: 'cpu', readerCacheSize: 0 };
  const most = Math.max(...streams);
  const subjects = Object.fromEntries(
    streams.map((n) => [
      n,
      () => subject.ask({ what: 'many', streams: n, videos: Math.max(8, most), options }),
    ]),
  );
  const results = await interleave(subjects, rounds);
  const rows = streams.map((n) => ({ streams: n, result: results[n] }));
  progress(tables({ clip: clip.name, frames, rows }));
  return { clip: clip.name, frames, rows };
}

export function tables({ clip, frames, rows }) {
  return [
    {
      title: `patchStream calls at once, ${frames} frames of ${clip}`,
      note: 'Event-loop delay of the calling thread beyond a 1 ms timer, one round.',
      head: [
        'streams',
        'ms per video',
        'CPU ms per video',
        'videos/s',
        'delay ms: mean',
        'p99',
        'max',
      ],
      rows: rows.map(({ streams, result }) => {
        const delay = result.last?.loopDelayMs;
        return [
          streams,
          ms(result),
          result.cpuMs ? digits(result.cpuMs.median) : '–',
          result.ms ? digits(1000 / result.ms.median) : '–',
          ...['mean', 'p99', 'max'].map((key) => (delay ? delay[key].toFixed(2) : '–')),
        ];
      }),
    },
  ];
}

export const checks = () => [];

export function charts({ clip, rows }) {
  const x = rows.map((r) => r.streams);
  const of = (label, value) => ({ label, values: rows.map((r) => value(r.result) ?? null) });
  const shared = { x, xLabel: 'streams at once', logX: true };
  return [
    {
      ...shared,
      file: 'concurrency.svg',
      title: `Videos per second, ${clip}`,
      yLabel: 'videos/s',
      series: [of('patchStream', (r) => r.ms && 1000 / r.ms.median)],
    },
  ];
}
