import { once } from 'node:events';
import { resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { patchStream } from '../../src/index.js';
import { fixturePath } from '../helpers/fixtures.js';
import { longForm } from '../helpers/long-form.js';

const SCRIPT = resolve(__dirname, '../helpers/worker.cjs');
const VIDEOS = ['h264_bpyramid.mp4', 'hevc.mp4', 'mpeg4.avi'].map(fixturePath);
const OPTIONS = { sequenceLength: 8, kKeep: 100 };

const start = (workerData: object): Worker =>
  new Worker(SCRIPT, { workerData: { videos: VIDEOS, options: OPTIONS, ...workerData } });

interface Answer {
  readonly videoPath: string;
  readonly indices: number[];
  readonly ids: number[];
}

async function answers(worker: Worker): Promise<Answer[]> {
  const received: Answer[] = [];
  worker.on('message', (answer: Answer) => received.push(answer));
  const [exitCode] = (await once(worker, 'exit')) as [number];
  expect(exitCode).toBe(0);
  return received;
}

async function expected(): Promise<Answer[]> {
  const results: Answer[] = [];
  for (const videoPath of VIDEOS) {
    const stream = await patchStream({ videoPath, ...OPTIONS });
    const indices = stream.metadata.map((m) => m.patchLinearIdx);
    results.push({ videoPath, indices, ids: [...stream.sampledFrameIds] });
    stream.close();
  }
  return results;
}

test('eight workers at once give what the main thread gives', async () => {
  const reference = await expected();
  const workers = Array.from({ length: 8 }, () => start({}));
  for (const received of await Promise.all(workers.map(answers))) {
    expect(received).toEqual(reference);
  }
});

test('a worker terminated in mid-decode takes nothing with it', async () => {
  const reference = await expected();
  for (let round = 0; round < (longForm ? 5 : 3); round++) {
    const victim = start({ endless: true, options: { ...OPTIONS, sequenceLength: 64 } });
    const survivor = start({});
    const survived = answers(survivor);
    await once(victim, 'message');
    await new Promise((done) => setTimeout(done, round * 3));
    const terminated = performance.now();
    await victim.terminate();
    expect(performance.now() - terminated).toBeLessThan(1000);
    expect(await survived).toEqual(reference);
  }
  expect(await expected()).toEqual(reference);
});

test('the addon can be used after the first thread that loaded it is gone', async () => {
  await answers(start({}));
  expect(await answers(start({}))).toHaveLength(VIDEOS.length);
});
