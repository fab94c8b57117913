/** 5. Many streams at once in one process: videos per second and what the event loop feels. */
import { ensureClip } from '../lib/clips.mjs';
import { digits, ms } from '../lib/format.mjs';
import { interleave } from '../lib/measure.mjs';
import { Package } from '../lib/subjects.mjs';

export const title = 'Concurrency';

const cpu = (result) => (result.cpuMs ? digits(result.cpuMs.median) : '–');

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
  const data = {
    clip: clip.name,
    frames,
    rows,
    modes: await compareModes(subject, file, frames, rounds),
  };
  progress(tables(data));
  return data;
}

/** decodeMode and decodeThreadType, what each is for: many calls, one call, memory that stays. */
async function compareModes(subject, file, frames, rounds) {
  const options = { videoPath: file, sequenceLength: frames, backend: 'cpu' };
  const variants = {
    throughput: { decodeMode: 'throughput' },
    latency: { decodeMode: 'latency' },
    'throughput, frame threads': { decodeThreadType: 'frame', uniformStrategy: 'stream' },
    'throughput, slice threads': { decodeThreadType: 'slice', uniformStrategy: 'stream' },
  };
  const subjects = {};
  for (const [name, more] of Object.entries(variants)) {
    for (const streams of [1, 8]) {
      const call = { what: 'many', streams, videos: 8, options: { ...options, ...more } };
      subjects[`${name}/${streams}`] = () => subject.ask(call);
    }
  }
  const results = await interleave(subjects, rounds);
  const kept = {};
  for (const [name, more] of Object.entries(variants)) {
    const fresh = new Package();
    await fresh.server.ready;
    await fresh.call('patchStream', file, 1, { decodeMode: 'latency' })();
    const before = await fresh.ask({ what: 'reset' });
    for (let i = 0; i < 3; i++) await fresh.call('patchStream', file, frames, more)();
    kept[name] = (await fresh.ask({ what: 'reset' })).rss - before.rss;
    await fresh.close();
  }
  return Object.keys(variants).map((name) => ({
    name,
    one: results[`${name}/1`],
    many: results[`${name}/8`],
    kept: kept[name],
  }));
}

export function tables({ clip, frames, rows, modes }) {
  return [
    {
      title: `decodeMode and decodeThreadType, ${frames} frames of ${clip}`,
      note:
        'ms per video with one call at a time and with eight; mean ms from call to result with ' +
        'eight; memory that stays after three calls. Frame and slice threads: read on from the ' +
        'first frame with one decoder, so that the threads of the decoder are what counts.',
      head: ['', 'one: ms', 'CPU ms', 'eight: ms', 'CPU ms', 'until a result', 'MB kept'],
      rows: modes.map(({ name, one, many, kept }) => [
        name,
        ms(one),
        cpu(one),
        ms(many),
        cpu(many),
        many.last ? digits(many.last.answerMs) : '–',
        (kept / 1e6).toFixed(0),
      ]),
    },
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
          cpu(result),
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
