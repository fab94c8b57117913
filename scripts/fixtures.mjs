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
import { badRecipes, recipes, sizeRecipes, sources } from '../test/fixtures/recipes.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
export const cacheDir = path.join(root, 'test', 'fixtures', 'cache');
const manifestPath = path.join(cacheDir, 'manifest.json');

/** Changes of bytes that no muxer offers. Each takes the bytes of its sources (if any) and returns new ones. */
const edits = {
  // From the middle of a group of pictures, at a packet boundary.
  cutTransportStream: (b) => b.subarray(188 * Math.floor((b.length * 0.37) / 188)),
  // A broadcast from the middle of a group on: its pictures are reordered further later on, and its
  // headers do not say so (x264's without bitstream_restriction, with which its parameter sets end).
  // How far a reader looks ahead decides which pictures come out.
  cutBroadcast: (...parts) => {
    const out = Buffer.concat(parts);
    const set = Buffer.from([0, 0, 1, 0x67]);
    for (let at = out.indexOf(set); at >= 0; at = out.indexOf(set, at + 1)) {
      const body = out.subarray(at + 4, out.indexOf(set.subarray(0, 3), at + 4));
      const bits = [...body].map((byte) => byte.toString(2).padStart(8, '0')).join('');
      // The flag, motion vectors, two limits of 0, two from 7 to 14, depths of reordering and buffer.
      const found = /1111(0001[01]{3}){2}(010|011|00100)[01]{3,5}?10*$/.exec(bits);
      if (!found) throw new Error('not a parameter set of x264');
      const without = `${bits.slice(0, found.index)}01`.padEnd(bits.length, '0');
      body.set(without.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
    }
    // Nor does the container where a picture has no time: the fifth from the end.
    const starts = [];
    for (
      let at = out.indexOf('000001e0', 0, 'hex');
      at >= 0;
      at = out.indexOf('000001e0', at + 1, 'hex')
    )
      starts.push(at);
    const head = starts.at(-5);
    out[head + 7] &= 0x3f; // PTS_DTS_flags; what they announced is stuffing now
    out.fill(0xff, head + 9, head + 9 + out[head + 8]);
    return out.subarray(188 * Math.floor((out.length * 0.15) / 188));
  },
  // Two captures in one file: the second begins with its own headers and clock.
  twice: (b) => Buffer.concat([b, b]),
  // Captures one after the other.
  joined: (...parts) => Buffer.concat(parts),
  // Parameters of each frame (interlacing), which the format allows.
  frameParameters: (b) =>
    Buffer.from(b.toString('latin1').replaceAll('FRAME\n', 'FRAME Ip\n'), 'latin1'),
  // The sample of a picture that nothing refers to becomes a message (SEI) of the same size.
  messageForPicture: (b) => {
    const out = Buffer.from(b);
    const hevc = b.includes('hvcC');
    for (let at = b.indexOf('mdat') + 4, found = 0; ; at += 4 + b.readUInt32BE(at)) {
      const size = b.readUInt32BE(at);
      const type = hevc ? (b[at + 4] >> 1) & 63 : b[at + 4] & 31;
      const plain = hevc ? type < 16 && type % 2 === 0 : type === 1 && (b[at + 4] & 0x60) === 0;
      if (!plain || size < 100 || size > 900 || ++found < 5) continue;
      const head = hevc ? [39 << 1, 1, 5] : [6, 5];
      let left = size - head.length - 2;
      while (left > 255) {
        head.push(255);
        left -= 256;
      }
      if (left === 255) return out; // such a size has no encoding
      out.fill('A', at + 4, at + 4 + size);
      Buffer.from([...head, left]).copy(out, at + 4);
      out[at + 3 + size] = 0x80;
      return out;
    }
  },
  truncate: (b) => b.subarray(0, Math.floor(b.length * 0.6)),
  // Within the last picture, as when a recording stops.
  cutEnd: (b) => b.subarray(0, b.length - 2 * 188),
  // Whole pictures in the middle, the lengths in front of them too: damage within a picture often
  // decodes to something without a complaint.
  hole: (b) => {
    const out = Buffer.from(b);
    const start = out.indexOf('mdat') + 4;
    const middle = start + Math.floor((out.length - start) * 0.45);
    let at = start;
    while (at < middle) at += 4 + out.readUInt32BE(at);
    return out.fill(0xff, at, at + 2500);
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
  // The stream header's compression, of 1-bit pictures that are stored as they are.
  msRle: (b) => {
    const out = Buffer.from(b);
    out.writeUInt32LE(1, out.indexOf('strf') + 24);
    return out;
  },
  // Autodesk FLC: 12 frames of plain pixels, a palette that changes in the sixth (no encoder has it).
  flic: () => {
    const [width, height, frames] = [96, 64, 12];
    const chunk = (type, head, body) => {
      const start = Buffer.alloc(6);
      start.writeUInt32LE(6 + head.length + body.length, 0);
      start.writeUInt16LE(type, 4);
      return Buffer.concat([start, head, body]);
    };
    const none = Buffer.alloc(0);
    const palette = (turn) => {
      const colours = Buffer.alloc(4 + 768);
      colours.writeUInt16LE(1, 0); // one packet, nothing skipped, 256 entries
      for (let i = 0; i < 768; i++) colours[4 + i] = (i * 37 + turn * 90) & 255;
      return chunk(4, none, colours);
    };
    const all = Array.from({ length: frames }, (_, t) => {
      const pixels = Buffer.alloc(width * height);
      for (let i = 0; i < pixels.length; i++)
        pixels[i] = (i % width) * 2 + 3 * (i / width) + 11 * t;
      const parts = [...(t % 6 === 0 ? [palette(t / 6)] : []), chunk(16, none, pixels)];
      const head = Buffer.alloc(10);
      head.writeUInt16LE(parts.length, 0);
      return chunk(0xf1fa, head, Buffer.concat(parts));
    });
    const header = Buffer.alloc(128);
    header.writeUInt32LE(128 + all.reduce((sum, part) => sum + part.length, 0), 0);
    [0xaf12, frames, width, height, 8, 3, 40].forEach((v, i) => header.writeUInt16LE(v, 4 + 2 * i));
    return Buffer.concat([header, ...all]);
  },
  // As if an old x264 had made it: FFmpeg then takes 4:4:4 for what those builds wrote.
  oldX264: (b) => replaced(b, /(?<=x264 - core )\d{3}/, '142'),
  // The size of the first message in hvcC is larger than what is there.
  brokenSei: (b) => {
    const out = Buffer.from(b);
    const message = out.indexOf('4e0105', out.indexOf('hvcC'), 'hex');
    return out.fill(0xff, message + 3, message + 6);
  },
  filmGrain: (b) => withFilmGrain(b),
  // Theora in Matroska as mkvmerge writes it: the size of whole blocks in the track's header.
  codedHeight: (b) => {
    const out = Buffer.from(b);
    out[out.indexOf('ba8178', 0, 'hex') + 2] = 128;
    return out;
  },
  annexB: (b) => annexB(b),
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

/** Text of the same length in place of what the pattern finds. */
function replaced(bytes, pattern, text) {
  const found = pattern.exec(bytes.toString('latin1'));
  if (!found || found[0].length !== text.length) throw new Error(`no ${pattern}`);
  const out = Buffer.from(bytes);
  out.write(text, found.index, 'latin1');
  return out;
}

/**
 * A raw stream (Annex B) of H.264 or HEVC with the message "film grain characteristics" (payload 19 of H.264 and
 * H.265, annex D) before each picture: noise for luma in one interval of intensities.
 */
function withFilmGrain(stream) {
  const parts = [];
  for (let at = stream.indexOf('000001', 0, 'hex'); at >= 0;) {
    const next = stream.indexOf('000001', at + 3, 'hex');
    parts.push(stream.subarray(at + 3, next < 0 ? stream.length : next));
    at = next;
  }
  // H.264 begins with a parameter set of type 7 or a delimiter, HEVC with types from 32 to 35.
  const hevc = [32, 33, 34, 35].includes((parts[0][0] >> 1) & 63);
  const isPicture = (unit) =>
    hevc
      ? ((unit[0] >> 1) & 63) < 32 && unit[2] >= 0x80
      : [1, 5].includes(unit[0] & 31) && unit[1] >= 0x80;
  const bits = [
    ...['0', '00', '0', '00', '0100'], // stays, frequency filtering, no colour description, additive, scale 4
    ...['1', '0', '0'], // luma alone
    ...['00000000', '010', '00000001', '11111111'], // one interval from 1 to 255, three values
    ...['0000001010000', '000010000', '000010000'], // se(v): 40, 8, 8
    '1', // for each picture that follows (H.264: period 0)
  ].join('');
  const payload = `${bits}1`.padEnd(Math.ceil((bits.length + 1) / 8) * 8, '0').match(/.{8}/g);
  const message = Buffer.from([
    ...(hevc ? [39 << 1, 1] : [6]),
    ...[19, payload.length, ...payload.map((byte) => parseInt(byte, 2)), 0x80],
  ]);
  if (/00000[0-3]/.test(message.toString('hex'))) throw new Error('needs emulation prevention');
  const startCode = Buffer.from([0, 0, 0, 1]);
  return Buffer.concat(
    parts.flatMap((unit) => [...(isPicture(unit) ? [startCode, message] : []), startCode, unit]),
  );
}

/** The temporal units of an IVF file as AV1's Annex B has them: with the sizes of units around OBUs. */
function annexB(ivf) {
  const leb128 = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...leb128(n >> 7)]);
  const sized = (b) => Buffer.concat([Buffer.from(leb128(b.length)), b]);
  const units = [];
  for (let at = 32; at + 12 <= ivf.length;) {
    const end = at + 12 + ivf.readUInt32LE(at);
    const obus = [];
    for (at += 12; at < end;) {
      // Header and size field; the units of a file without layers have no extension.
      let size = 0;
      let next = at + 1;
      for (let shift = 0; ; shift += 7) {
        const byte = ivf[next++];
        size |= (byte & 127) << shift;
        if (byte < 128) break;
      }
      obus.push(sized(ivf.subarray(at, next + size)));
      at = next + size;
    }
    units.push(sized(sized(Buffer.concat(obus))));
  }
  return Buffer.concat(units);
}

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
      const encode = (...more) =>
        execute('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...args, ...exact, ...more]);
      if (recipe.twoPass) {
        const log = ['-passlogfile', partial];
        await encode('-pass', '1', ...log, '-f', 'null', '-');
        await encode('-pass', '2', ...log, partial);
      } else {
        await encode(partial);
      }
    }
    if (recipe.edit) {
      const from = (recipe.args ? [partial] : inputs).map((file) => fs.readFileSync(file));
      fs.writeFileSync(partial, edits[recipe.edit](...from));
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
    fs.rmSync(`${partial}-0.log`, { force: true }); // of two passes
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
  const all = [...sources, ...recipes, ...sizeRecipes, ...badRecipes];
  const wanted = hashes(all, version);
  const known = new Map();
  if (!force && fs.existsSync(manifestPath)) {
    const old = JSON.parse(fs.readFileSync(manifestPath, 'utf8'));
    for (const entry of [...old.sources, ...old.clips, ...(old.sizes ?? []), ...old.bad])
      known.set(entry.name, entry);
  }
  const fresh = (r) =>
    known.get(r.name)?.hash === wanted.get(r.name) && fs.existsSync(path.join(cacheDir, r.name));
  const entries = new Map(all.filter(fresh).map((r) => [r.name, known.get(r.name)]));
  const queue = all.filter((r) => !entries.has(r.name));
  const manifest = () => {
    const list = (rs) => rs.map((r) => entries.get(r.name)).filter(Boolean);
    return {
      ...{ version, sources: list(sources), clips: list(recipes) },
      ...{ sizes: list(sizeRecipes), bad: list(badRecipes) },
    };
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
