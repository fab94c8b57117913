/** What is measured: this package, the floor, ffmpeg. Each as functions that resolve to { ms, … }. */
import * as fs from 'node:fs';
import { spawn } from 'node:child_process';
import * as path from 'node:path';
import { root } from '../../scripts/lib/shell.mjs';
import { Server } from './server.mjs';

const native = (name) => path.join(root, 'build', 'bench', 'native', name);

/** id_i = floor(i·(N−1)/(T−1)), the frames that every subject returns. */
export function sampledIds(total, count) {
  const ids = Array.from({ length: count }, (_, i) =>
    count === 1 ? 0 : Math.floor((i * (total - 1)) / (count - 1)),
  );
  return [...new Set(ids)];
}

/**
 * This package, or the build of it in another checkout. With `cold`, every call reads the
 * container's index anew, as for a new file.
 */
export class Package {
  constructor(checkout = root) {
    const script = path.join(checkout, 'bench', 'lib', 'subject-process.mjs');
    this.server = new Server(process.execPath, ['--expose-gc', script]);
  }

  ask(request) {
    return this.server.ask(JSON.stringify(request));
  }

  call(call, videoPath, frames, { cold = true, ...more } = {}) {
    const options = { videoPath, backend: 'cpu', ...more };
    if (frames !== undefined) options.sequenceLength = frames;
    if (cold) options.readerCacheSize = 0;
    return () => this.ask({ what: 'one', call, options });
  }

  close() {
    return this.server.close();
  }
}

/** The first call of a process, which has no memory of earlier results to use again. */
export function firstCall(call, videoPath, frames, options = {}) {
  return async () => {
    const fresh = new Package();
    try {
      await fresh.server.ready;
      return await fresh.call(call, videoPath, frames, options)();
    } finally {
      await fresh.close();
    }
  };
}

/** Peak memory of one call in a fresh process, over the same process before its first call. */
export async function peakMemory(call, videoPath, frames, idleWith, options = {}, checkout = root) {
  const fresh = new Package(checkout);
  try {
    await fresh.server.ready;
    // The addon, FFmpeg's tables and V8 are warm; the idle process is what remains.
    await fresh.call('patchStream', idleWith, 1)();
    const idle = await fresh.ask({ what: 'reset' });
    const reply = await fresh.call(call, videoPath, frames, options)();
    if (reply.error) return reply;
    const { peak } = await fresh.ask({ what: 'memory' });
    return { bytes: peak - idle.rss, outputBytes: reply.outputBytes };
  } finally {
    await fresh.close();
  }
}

/** cps_floor for one clip: `plan`, and every way to spread the threads that makes sense. */
export class Floor {
  static async open(video, frames, threads) {
    const floor = new Floor();
    floor.server = new Server(native('cps_floor'), [video, `${frames}`, `${threads}`]);
    floor.plan = await floor.server.ready;
    const ways = new Set([`1x${threads}`]);
    for (let d = 2; d <= Math.min(threads, floor.plan.segments); d *= 2) {
      ways.add(`${d}x${Math.max(1, Math.floor(threads / d))}`);
    }
    if (floor.plan.segments >= threads) ways.add(`${threads}x1`);
    floor.ways = [...ways];
    return floor;
  }

  /** The quickest way to spread the threads, from `rounds` trials each: the floor. */
  async choose(rounds = 2) {
    let best;
    for (const way of this.ways) {
      await this.server.ask(`decode ${way}`);
      for (let i = 0; i < (this.ways.length > 1 ? rounds : 0); i++) {
        const { ms } = await this.server.ask(`decode ${way}`);
        if (!best || ms < best.ms) best = { way, ms };
      }
    }
    this.way = best?.way ?? this.ways[0];
    return this.way;
  }

  decode(way = this.way) {
    return () => this.server.ask(`decode ${way}`);
  }

  convert() {
    return () => this.server.ask('convert');
  }

  close() {
    return this.server.close();
  }
}

/** cps_stages: what comes after decode, from decoded frames. */
export async function openStages(video, frames, threads, k = 2048) {
  const server = new Server(native('cps_stages'), [video, frames, threads, k].map(String));
  await server.ready;
  return server;
}

/** Processor milliseconds of all children of this process that have ended, in steps of a tick (10 ms). */
function childrenMs() {
  const fields = fs.readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ');
  return (Number(fields[13]) + Number(fields[14])) * 10;
}

/** Runs a program to its end, alone; bytes of its stdout are kept when `keep` says how many there will be. */
export function runProgram(command, args, keep) {
  return new Promise((resolve) => {
    const start = performance.now();
    const cpu = childrenMs();
    const stdout = keep ? 'pipe' : 'ignore';
    const child = spawn(command, args, { stdio: ['ignore', stdout, 'pipe'] });
    const out = keep ? Buffer.allocUnsafe(keep) : undefined;
    let got = 0;
    let errors = '';
    child.stdout?.on('data', (chunk) => (got += chunk.copy(out, got)));
    child.stderr.on('data', (chunk) => (errors = (errors + chunk).slice(-2000)));
    child.on('error', (error) => resolve({ error: error.message }));
    child.on('close', (code) => {
      const ms = performance.now() - start;
      if (code !== 0) return resolve({ error: errors || `exit status ${code}` });
      if (keep && got !== keep) return resolve({ error: `${got} bytes instead of ${keep}` });
      return resolve({ ms, cpuMs: childrenMs() - cpu, out });
    });
  });
}

/** The yardstick of a whole decode. */
export const fullDecode = (video, threads) => async () => {
  const input = ['-threads', `${threads}`, '-i', video];
  return runProgram('ffmpeg', ['-v', 'error', ...input, '-an', '-f', 'null', '-']);
};
