#!/usr/bin/env node
/**
 * Makes every test clip of test/fixtures/recipes.mjs with the ffmpeg CLI, into test/fixtures/cache/
 * (untracked). A clip is made again only when its recipe, a clip it is made from, or the ffmpeg
 * version changes, so a second run costs nothing.
 *
 *   node scripts/fixtures.mjs            make what is missing
 *   node scripts/fixtures.mjs --force    make everything again
 *
 * Beside the clips: manifest.json (for tests in TypeScript) and manifest.tsv (name, tab, features;
 * for the native tests).
 */
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { badRecipes, recipes, sources } from '../test/fixtures/recipes.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
export const cacheDir = path.join(root, 'test', 'fixtures', 'cache');
const manifestPath = path.join(cacheDir, 'manifest.json');

/** Changes of bytes that no muxer offers. Each takes the source's bytes (if any) and returns new ones. */
const edits = {
  // From the middle of a group of pictures, at a packet boundary.
  cutTransportStream: (b) => b.subarray(188 * Math.floor((b.length * 0.37) / 188)),
  truncate: (b) => b.subarray(0, Math.floor(b.length * 0.6)),
  // Within the last picture, as when a recording stops.
  cutEnd: (b) => b.subarray(0, b.length - 2 * 188),
  // Whole pictures in the middle, the lengths in front of them too.
  hole: (b) => {
    const out = Buffer.from(b);
    const start = out.indexOf('mdat');
    const middle = start + Math.floor((out.length - start) * 0.45);
    return out.fill(0xff, middle, middle + 2500);
  },
  headerOnly: (b) => b.subarray(0, b.indexOf('mdat') + 4),
  bitrot: (b) => {
    const out = Buffer.from(b);
    const start = out.indexOf('mdat') + 2000;
    for (let i = start, s = 1; i < out.length; i += 997) {
      s = (s * 1103515245 + 12345) & 0x7fffffff;
      out[i] ^= s >> 16;
    }
    return out;
  },
  text: () => Buffer.from('This is not a video.\n'.repeat(50)),
  empty: () => Buffer.alloc(0),
  noise: () => {
    const out = Buffer.alloc(20000);
    for (let i = 0, s = 7; i < out.length; i++) {
      s = (s * 1103515245 + 12345) & 0x7fffffff;
      out[i] = s >> 16;
    }
    return out;
  },
  rotate90: (b) => setRotation(b, 90),
  rotate180: (b) => setRotation(b, 180),
  rotate270: (b) => setRotation(b, 270),
};

/** Writes the 3x3 matrix of the first track header: clockwise rotation for the viewer. */
function setRotation(bytes, degrees) {
  const out = Buffer.from(bytes);
  const payload = out.indexOf('tkhd') + 4;
  if (payload < 4 || out[payload] !== 0) throw new Error('no version 0 tkhd box');
  const [a, b, c, d] = { 90: [0, 1, -1, 0], 180: [-1, 0, 0, -1], 270: [0, -1, 1, 0] }[degrees];
  const width = out.readUInt32BE(payload + 76) / 65536;
  const height = out.readUInt32BE(payload + 80) / 65536;
  const [x, y] = { 90: [height, 0], 180: [width, height], 270: [0, width] }[degrees];
  const fixed = [a, b, 0, c, d, 0, x, y, 0].map((v) => v * 65536);
  fixed[8] = 0x40000000;
  fixed.forEach((v, i) => out.writeInt32BE(v, payload + 40 + 4 * i));
  return out;
}

function execute(command, args) {
  return new Promise((resolve, reject) => {
    execFile(command, args, { maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      reject(new Error(`${command} ${args.join(' ')}\nfailed: ${stderr.trim() || error.message}`));
    });
  });
}

/** What ffprobe says about the video stream a viewer would see, frames counted by decoding them. */
async function probe(file) {
  const json = await execute('ffprobe', [
    ...['-v', 'error', '-count_frames', '-threads', '1', '-select_streams', 'v'],
    ...['-show_streams', '-show_format', '-of', 'json', file],
  ]);
  const { streams, format } = JSON.parse(json);
  const videos = streams.filter((s) => !s.disposition.attached_pic);
  const video = videos.find((s) => s.disposition.default) ?? videos[0];
  if (!video) throw new Error(`${file} has no video stream`);
  const rotation = video.side_data_list?.find((d) => d.rotation !== undefined)?.rotation ?? 0;
  return { ...video, rotation, frames: Number(video.nb_read_frames), format: format.format_name };
}

function verify(recipe, facts) {
  for (const [key, expected] of Object.entries(recipe.expect ?? {})) {
    if (facts[key] !== expected) {
      throw new Error(`${recipe.name}: expected ${key} ${expected} but ffprobe says ${facts[key]}`);
    }
  }
}

async function make(recipe, hash) {
  const target = path.join(cacheDir, recipe.name);
  const inputs = (recipe.from ?? []).map((name) => path.join(cacheDir, name));
  // Written under another name first: an interrupted run leaves no half clip behind.
  const partial = path.join(cacheDir, `partial-${process.pid}-${recipe.name}`);
  try {
    if (recipe.args) {
      const args = recipe.args.map((a) => (/^\$\d$/.test(a) ? inputs[Number(a[1])] : a));
      const exact = ['-map_metadata', '-1', '-fflags', '+bitexact', '-threads', '1'];
      await execute('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...args, ...exact, partial]);
    }
    if (recipe.edit) {
      const source = recipe.args ? partial : inputs[0];
      fs.writeFileSync(partial, edits[recipe.edit](source ? fs.readFileSync(source) : undefined));
    }
    const entry = { name: recipe.name, features: recipe.features ?? [], hash };
    if (recipe.features && !recipe.features.includes('bad')) {
      const facts = await probe(partial);
      verify(recipe, facts);
      Object.assign(entry, {
        ...{ codec: facts.codec_name, format: facts.format, pixFmt: facts.pix_fmt },
        ...{ width: facts.width, height: facts.height, rotation: facts.rotation },
        ...{ frames: facts.frames, streamIndex: facts.index },
      });
    }
    fs.renameSync(partial, target);
    return entry;
  } finally {
    fs.rmSync(partial, { force: true });
  }
}

function hashes(all, version) {
  const done = new Map();
  const visit = (recipe) => {
    const below = (recipe.from ?? []).map((name) => {
      const parent = all.find((r) => r.name === name);
      if (!parent) throw new Error(`${recipe.name} is made from ${name}, which has no recipe`);
      return done.get(name) ?? visit(parent);
    });
    const edit = recipe.edit ? String(edits[recipe.edit]) + String(setRotation) : '';
    const text = JSON.stringify([version, recipe, below, edit]);
    done.set(recipe.name, createHash('sha256').update(text).digest('hex').slice(0, 16));
    return done.get(recipe.name);
  };
  all.forEach(visit);
  return done;
}

/**
 * Makes what is missing and returns the manifest: { clips: [...], bad: [...] }, each entry
 * { name, features, codec, pixFmt, width, height, rotation, frames, … }.
 */
export async function makeFixtures({ force = false, log = () => {} } = {}) {
  fs.mkdirSync(cacheDir, { recursive: true });
  const version = execFileSync('ffmpeg', ['-version'], { encoding: 'utf8' }).split('\n')[0];
  const all = [...sources, ...recipes, ...badRecipes];
  const wanted = hashes(all, version);
  const known = new Map();
  if (!force && fs.existsSync(manifestPath)) {
    const old = JSON.parse(fs.readFileSync(manifestPath, 'utf8'));
    for (const entry of [...old.sources, ...old.clips, ...old.bad]) known.set(entry.name, entry);
  }
  const fresh = (r) =>
    known.get(r.name)?.hash === wanted.get(r.name) && fs.existsSync(path.join(cacheDir, r.name));
  const entries = new Map(all.filter(fresh).map((r) => [r.name, known.get(r.name)]));
  const queue = all.filter((r) => !entries.has(r.name));
  const manifest = () => {
    const list = (rs) => rs.map((r) => entries.get(r.name)).filter(Boolean);
    return { version, sources: list(sources), clips: list(recipes), bad: list(badRecipes) };
  };
  if (queue.length === 0) return manifest();

  const started = Date.now();
  const total = queue.length;
  let made = 0;
  const errors = [];
  const waiting = new Set(queue.map((r) => r.name));
  const worker = async () => {
    while (queue.length > 0 && errors.length === 0) {
      const at = queue.findIndex((r) => (r.from ?? []).every((name) => !waiting.has(name)));
      if (at < 0) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        continue;
      }
      const [recipe] = queue.splice(at, 1);
      try {
        entries.set(recipe.name, await make(recipe, wanted.get(recipe.name)));
        waiting.delete(recipe.name);
        log(`fixtures ${++made}/${total} ${recipe.name}`);
      } catch (error) {
        errors.push(error);
      }
    }
  };
  const workers = Math.max(2, Math.min(4, os.availableParallelism()));
  await Promise.all(Array.from({ length: workers }, worker));

  const result = manifest();
  const write = (file, text) => {
    fs.writeFileSync(`${file}.${process.pid}`, text);
    fs.renameSync(`${file}.${process.pid}`, file);
  };
  write(manifestPath, `${JSON.stringify(result, null, 1)}\n`);
  const rows = [...result.clips, ...result.bad].map((e) => `${e.name}\t${e.features.join(',')}\n`);
  write(path.join(cacheDir, 'manifest.tsv'), rows.join(''));
  if (errors.length > 0) throw errors[0];
  log(`fixtures: made ${made} files in ${((Date.now() - started) / 1000).toFixed(1)} s`);
  return result;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    const tty = process.stderr.isTTY;
    const log = (line) => process.stderr.write(tty ? `\r\x1b[K${line}` : `${line}\n`);
    const manifest = await makeFixtures({ force: process.argv.includes('--force'), log });
    if (tty) process.stderr.write('\r\x1b[K');
    console.log(`fixtures: ${manifest.clips.length} clips, ${manifest.bad.length} bad files`);
  } catch (error) {
    console.error(`\n${error.message}`);
    process.exit(1);
  }
}
