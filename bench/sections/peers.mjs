/** 3. Other ways to the same frames: each in its best way, which is measured too. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { has } from '../../scripts/lib/shell.mjs';
import { cacheDir, ensureClip } from '../lib/clips.mjs';
import { digits, ms, times } from '../lib/format.mjs';
import { interleave, ratio } from '../lib/measure.mjs';
import { Server } from '../lib/server.mjs';
import { runProgram, sampledIds } from '../lib/subjects.mjs';

export const title = 'Peers';
const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'peers');
const setupDir = path.join(cacheDir, 'peers');
/** Mean difference of 8-bit RGB above which a frame is another one: neighbours differ by over 4. */
const SAME_FRAME = 2;

function hosts(args) {
  const list = [[process.execPath, [path.join(folder, 'node-av.mjs'), ...args]]];
  for (const how of ['server', 'webcodecs'])
    list.push([process.execPath, [path.join(folder, 'mediabunny.mjs'), how, ...args]]);
  const pythons = ['/usr/bin/python3', path.join(setupDir, 'py', 'bin', 'python')];
  if (process.env.CPS_BENCH_PYTHON) pythons.push(process.env.CPS_BENCH_PYTHON);
  const found = pythons.filter((python) => fs.existsSync(python));
  if (found.length === 0 && has('python3')) found.push('python3');
  for (const python of found) list.push([python, [path.join(folder, 'peers.py'), ...args]]);
  const env = { ...process.env, CPS_BENCH_PEERS: setupDir };
  return list.map(([command, all]) => new Server(command, all, { env }));
}

/** ffmpeg as a child process: one with a select filter, or one that seeks for each frame. */
function ffmpegWays(file, ids, { threads, width, height, fps }) {
  const raw = ['-an', '-pix_fmt', 'rgb24', '-f', 'rawvideo'];
  const select = ['-vf', `select='${ids.map((id) => `eq(n\\,${id})`).join('+')}'`];
  const all = [
    ...['-v', 'error', '-threads', `${threads}`, '-i', file],
    ...[...select, '-vsync', '0', '-frames:v', `${ids.length}`, ...raw],
  ];
  const frameBytes = width * height * 3;
  const seekOne = (id) => {
    const at = ['-ss', `${Math.max(0, (id - 0.5) / fps)}`];
    const args = ['-v', 'error', '-threads', '1', ...at, '-i', file, '-frames:v', '1', ...raw, '-'];
    return runProgram('ffmpeg', args, frameBytes);
  };
  return {
    'ffmpeg-select': {
      label: 'ffmpeg CLI, select filter',
      run: () => runProgram('ffmpeg', [...all, '-y', '/dev/null']),
    },
    'ffmpeg-child-select': {
      label: 'ffmpeg child process in Node, select filter',
      run: () => runProgram('ffmpeg', [...all, '-'], ids.length * frameBytes),
    },
    'ffmpeg-child-seek': {
      label: `ffmpeg child processes in Node, one seek per frame, ${threads} at a time`,
      run: async () => {
        const start = performance.now();
        const queue = [...ids];
        const out = [];
        const lane = async () => {
          for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
            const reply = await seekOne(id);
            if (reply.error) throw new Error(reply.error);
            out[ids.indexOf(id)] = reply.out;
          }
        };
        try {
          await Promise.all(Array.from({ length: threads }, lane));
        } catch (error) {
          return { error: error.message };
        }
        return { ms: performance.now() - start, out: Buffer.concat(out) };
      },
    },
  };
}

function thinned(data, width, height) {
  const out = [];
  for (let at = 0; at + width * height * 3 <= data.length; at += width * height * 3) {
    for (let y = 0; y < height; y += 16) {
      for (let x = 0; x < width; x += 16) {
        const i = at + (y * width + x) * 3;
        out.push(data[i], data[i + 1], data[i + 2]);
      }
    }
  }
  return Buffer.from(out);
}

/** How many of `count` frames are ours: mean difference of every 16th pixel below SAME_FRAME. */
function rightFrames(ours, theirs, count) {
  const size = ours.length / count;
  let right = 0;
  for (let t = 0; t < count; t++) {
    if (theirs.length < (t + 1) * size) break;
    let sum = 0;
    for (let i = t * size; i < (t + 1) * size; i++) sum += Math.abs(ours[i] - theirs[i]);
    if (sum / size < SAME_FRAME) right++;
  }
  return right;
}

async function measureClip(recipe, frames, { threads, subject, rounds }) {
  const file = await ensureClip(recipe);
  const ids = sampledIds(recipe.frames, frames);
  const servers = hosts([file, `${threads}`, `${recipe.fps}`, ...ids.map(String)]);
  const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-bench-'));
  const signature = path.join(temporary, 'frames');
  try {
    const labels = { decodeOnly: 'decodeOnly', patchStream: 'patchStream' };
    const subjects = {
      decodeOnly: subject.call('decodeOnly', file, frames),
      patchStream: subject.call('patchStream', file, frames),
    };
    const options = { videoPath: file, sequenceLength: frames, backend: 'cpu' };
    const reply = await subject.ask({ what: 'thinned', options, file: signature });
    if (reply.error) throw new Error(reply.error);
    const ours = fs.readFileSync(signature);
    const right = {};
    const absent = {};
    const broken = {};
    for (const [i, server] of servers.entries()) {
      let offer;
      try {
        offer = await server.ready;
      } catch (error) {
        broken[server.name] = error.message;
        continue;
      }
      for (const [name, why] of Object.entries(offer.absent)) absent[name] ??= why;
      for (const [name, label] of Object.entries(offer.methods)) {
        const key = `${name}#${i}`;
        const checked = await server.ask(`check ${name} ${signature}`);
        labels[key] = label;
        if (checked.error) broken[label] = checked.error;
        else {
          right[key] = rightFrames(ours, fs.readFileSync(signature), ids.length);
          subjects[key] = () => server.ask(name);
        }
      }
    }
    // What one interpreter lacks another may have.
    for (const name of Object.keys(absent)) {
      if (Object.values(labels).some((label) => label.startsWith(name))) delete absent[name];
    }
    for (const [key, way] of Object.entries(ffmpegWays(file, ids, { ...recipe, threads }))) {
      labels[key] = way.label;
      const checked = await way.run();
      if (checked.error) broken[way.label] = checked.error;
      else {
        if (checked.out) {
          const small = thinned(checked.out, recipe.width, recipe.height);
          right[key] = rightFrames(ours, small, ids.length);
        }
        subjects[key] = async () => {
          const { ms: spent, error } = await way.run();
          return { ms: spent, error };
        };
      }
    }
    const results = await interleave(subjects, rounds);
    const rows = Object.keys(subjects).map((key) => ({
      key,
      label: labels[key],
      result: results[key],
      right: right[key],
      toDecodeOnly: ratio(results, key, 'decodeOnly'),
      toPatchStream: ratio(results, key, 'patchStream'),
    }));
    return { clip: recipe.name, frames: ids.length, rows, absent, broken };
  } finally {
    await Promise.all(servers.map((server) => server.close()));
    fs.rmSync(temporary, { recursive: true, force: true });
  }
}

export async function run(context) {
  const clips = [];
  for (const { clip, frames = 16 } of context.clips.peers) {
    clips.push(await measureClip(clip, frames, context));
    context.progress(tables({ clips: clips.slice(-1) }));
  }
  return { clips };
}

export function tables({ clips }) {
  return clips.map((c) => ({
    title: `${c.frames} frames of ${c.clip}`,
    note: [
      'Every subject opens the file anew. Right: how many frames are the sampled ones.',
      ...Object.entries(c.absent).map(([name, why]) => `Absent: ${name} (${why}).`),
      ...Object.entries(c.broken).map(([name, why]) => `Failed: ${name} (${why.split('\n')[0]}).`),
    ].join(' '),
    head: ['subject', 'ms', 'CPU ms', 'right', 'time / decodeOnly', 'time / patchStream'],
    rows: c.rows.map((r) => [
      r.label,
      ms(r.result),
      r.result.cpuMs ? digits(r.result.cpuMs.median) : '–',
      r.right === undefined ? '–' : `${r.right}/${c.frames}`,
      times(r.toDecodeOnly),
      times(r.toPatchStream),
    ]),
  }));
}

export function checks({ clips }) {
  return clips.map((c) => {
    // Who gives other frames, or fewer, has done other work: named in the table, never the fastest.
    const others = c.rows.filter(
      (r) =>
        r.toDecodeOnly &&
        !/^(decodeOnly|patchStream)$/.test(r.key) &&
        (r.right === undefined || r.right === c.frames),
    );
    const best = others.reduce((a, b) => (b.toDecodeOnly.median < a.toDecodeOnly.median ? b : a));
    const value = 1 / best.toDecodeOnly.median;
    return {
      what: `decodeOnly / best peer (${best.label}), ${c.clip}`,
      bound: 1,
      value,
      ok: value < 1,
    };
  });
}
