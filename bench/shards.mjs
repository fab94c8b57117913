/**
 * Beyond one machine: what the queue costs for each job, what a job takes in Redis, and how fast shards are read back
 * beside decoding the videos. Starts a redis-server of its own.
 *
 *   taskset -c 0 node bench/shards.mjs queue [jobs]     10,000 jobs of no videos
 *   node bench/shards.mjs shards [videos]               1080p H.264 against shards of the same patches
 */
import { execFileSync, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { once } from 'node:events';
import { root } from '../scripts/lib/shell.mjs';

const load = createRequire(import.meta.url);
const cli = (file) => load(path.join(root, 'packages', 'cli', 'dist', 'queue', file));
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-bench-scale-'));
const MB = 2 ** 20;

async function redis() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  const args = ['--port', String(port), '--dir', folder, '--appendonly', 'yes', '--save', ''];
  const server = spawn('redis-server', args, { stdio: 'ignore' });
  const { Redis } = load('ioredis');
  const client = new Redis({ port, maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  await client.ping();
  return { port, client, stop: () => (client.disconnect(), server.kill()) };
}

const settings = { recipe: {}, format: 'webdataset', members: 'npy', decoding: {}, hash: false };
const rowsOf = (shard, count) =>
  Array.from({ length: count }, (_, i) => {
    const index = shard * count + i;
    const columns = { label: index % 400 };
    return { index, path: `train/class-${index % 400}/video-${index * 7919}.mp4`, columns };
  });

async function queue(jobs) {
  const { port, client, stop } = await redis();
  const { addressOf, connectTo } = cli('connection.js');
  const { enqueue } = cli('enqueue.js');
  const { runWorker } = cli('worker.js');
  const used = async () => Number(/used_memory:(\d+)/.exec(await client.info('memory'))[1]);

  for (const [what, shards, videos] of [
    ['no video', jobs, 0],
    ['100 videos', 1000, 100],
  ]) {
    const name = what.replace(' ', '-');
    const connection = await connectTo(
      addressOf(`redis://127.0.0.1:${port}/${name}`),
      console.error,
    );
    const run = {
      ...{ settings: { ...settings, shardVideos: 1 }, videos: shards, shards },
      digest: what,
    };
    // One row makes a job; it is emptied on the way.
    const list = {
      root: '/',
      rows: async function* () {
        for (let i = 0; i < shards; i++) yield { index: i, path: '', columns: {} };
      },
    };
    const run_ = cli('run.js');
    const before = await used();
    let begin = performance.now();
    if (videos === 0)
      await enqueue(connection, { ...run, out: '', root: '' }, list, () => undefined);
    else {
      const opened = run_.openQueue(connection);
      let plain = 0;
      for (let from = 0; from < shards; from += 100) {
        const batch = Array.from({ length: 100 }, (_, i) => rowsOf(from + i, videos));
        plain += batch.reduce((sum, rows) => sum + JSON.stringify(rows).length, 0);
        const data = await Promise.all(batch.map(run_.packRows));
        await opened.addBulk(
          data.map((one, i) => ({ name: 'x', data: one, opts: { jobId: run_.jobId(from + i) } })),
        );
      }
      await opened.close();
      console.log(`${what}: ${(plain / shards).toFixed(0)} bytes of rows as JSON a job`);
    }
    const waiting = await used();
    console.log(
      `${what}: enqueued in ${((performance.now() - begin) / shards).toFixed(3)} ms a job; ${((waiting - before) / shards).toFixed(0)} bytes of Redis a waiting job`,
    );
    if (videos === 0) {
      let done = 0;
      const seen = [];
      const cpu = process.cpuUsage();
      begin = performance.now();
      await runWorker(connection, {
        run,
        io: { out: '', root: '', machine: {} },
        jobs: 4,
        takeoverMs: 30_000,
        videoTries: 3,
        keep: false,
        drain: new AbortController().signal,
        onEvent: () => undefined,
        onError: console.error,
        extract: async () => {
          if (++done % (jobs / 10) === 0) {
            globalThis.gc?.();
            seen.push((process.memoryUsage().rss / MB).toFixed(0));
          }
          return { failures: [] };
        },
      });
      const { user, system } = process.cpuUsage(cpu);
      const wall = performance.now() - begin;
      console.log(
        `${what}: ${done} jobs, ${(wall / done).toFixed(3)} ms a job, ${((user + system) / 1000 / done).toFixed(3)} ms of it this process`,
      );
      console.log(`${what}: resident MB after each tenth: ${seen.join(' ')}`);
      console.log(
        `${what}: ${(((await used()) - before) / shards).toFixed(0)} bytes of Redis a finished job`,
      );
    }
    connection.close();
  }
  stop();
}

async function shards(videos) {
  const tf = load('@tensorflow/tfjs');
  await tf.setBackend('cpu');
  const { patchDataset, shardDataset } = load(
    path.join(root, 'dist', 'adapters', 'tfjs', 'index.js'),
  );
  const source = path.join(folder, 'source.mp4');
  execFileSync('ffmpeg', [
    ...[
      '-v',
      'error',
      '-f',
      'lavfi',
      '-i',
      'testsrc2=size=1920x1080:rate=30:duration=4',
      '-vf',
      'noise=alls=4:allf=t',
    ],
    ...['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '23', '-pix_fmt', 'yuv420p', source],
  ]);
  const list = Array.from({ length: videos }, (_, i) => {
    const video = path.join(folder, `v${i}.mp4`);
    fs.copyFileSync(source, video);
    return video;
  });
  fs.writeFileSync(path.join(folder, 'list.txt'), list.join('\n'));
  const out = path.join(folder, 'shards');
  const flags = [
    '--patches',
    '--frames',
    '16',
    '--topk',
    '256',
    '--layout',
    'nhwc',
    '--dtype',
    'float32',
  ];
  const main = path.join(root, 'packages', 'cli', 'dist', 'main.js');
  execFileSync(
    process.execPath,
    [main, 'extract', path.join(folder, 'list.txt'), ...flags, '--out', out, '--shard-videos', '8'],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const rate = async (dataset) => {
    const begin = performance.now();
    let count = 0;
    await dataset.forEachAsync((element) => {
      count += element.xs.mask.shape[0];
      tf.dispose(element);
    });
    return (1000 * count) / (performance.now() - begin);
  };
  const flow = { batchSize: 4, prefetchDepth: 8 };
  const options = { sequenceLength: 16, kKeep: 256, ...flow };
  const bytes = fs
    .readdirSync(out)
    .filter((name) => name.endsWith('.tar'))
    .reduce((sum, name) => sum + fs.statSync(path.join(out, name)).size, 0);
  console.log(
    `${videos} videos of ${(fs.statSync(source).size / MB).toFixed(1)} MB; ${(bytes / videos / MB).toFixed(2)} MB a sample; ${os.availableParallelism()} cores`,
  );
  for (let round = 0; round < 3; round++) {
    const decoded = await rate(patchDataset(tf, list, options));
    const read = await rate(shardDataset(tf, out, { kind: 'patches', repeat: 4, ...flow }));
    const shuffled = await rate(
      shardDataset(tf, out, { kind: 'patches', repeat: 4, shuffle: true, ...flow }),
    );
    console.log(
      `decoding ${decoded.toFixed(1)}/s, shards ${read.toFixed(1)}/s, shuffled ${shuffled.toFixed(1)}/s: ${(read / decoded).toFixed(1)} and ${(shuffled / decoded).toFixed(1)} times`,
    );
  }
}

const [what, count] = process.argv.slice(2);
try {
  if (what === 'queue') await queue(Number(count ?? 10_000));
  else if (what === 'shards') await shards(Number(count ?? 24));
  else console.error('Expected queue or shards');
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
