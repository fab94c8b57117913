/**
 * The clips by which energies are compared, by recipe: what videos are made of, each by itself. All are of 640x360 at
 * 25 frames a second, as long as wanted: cameras turn back where their ground ends. `subtitles` and `bars` name parts of
 * the frame, as option ignore has them, whose share of a selection is counted; `kind`: how clips are put together
 * in a table.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { ensureClip } from '../lib/clips.mjs';

const [W, H, RATE] = [640, 360, 25];

/** Ground with texture of every size, and things that move over it. */
const texture = (w, h, seed) =>
  `color=gray:size=${w / 16}x${Math.ceil(h / 16)}:rate=${RATE},noise=all_seed=${seed}:alls=100,format=yuv444p,` +
  `scale=${w}:${h}:flags=bicubic,noise=all_seed=${seed + 1}:alls=36,gblur=1.2,eq=contrast=1.4`;
const still = (w, h, seed) => `${texture(w, h, seed)},loop=loop=-1:size=1:start=0`;
const thing = (w, h, colour, seed) =>
  `color=${colour}:size=${w}x${h}:rate=${RATE},noise=all_seed=${seed}:alls=50,gblur=1,loop=loop=-1:size=1:start=0,format=yuv444p`;

/** Over [ground]: [width, height, colour, x, y] of each thing, with n the frame. */
function over(ground, things) {
  const sources = things.map(([w, h, colour], i) => `${thing(w, h, colour, 20 + i)}[t${i}]`);
  const overlays = things.map(([, , , x, y], i) => {
    const from = i === 0 ? 'ground' : `g${i}`;
    const to = i === things.length - 1 ? '' : `[g${i + 1}]`;
    return `[${from}][t${i}]overlay=x='${x}':y='${y}'${to}`;
  });
  return `${ground}[ground];${sources.join(';')};${overlays.join(';')}`;
}

const MOVERS = [
  [90, 60, '0xd04020', 'mod(n*4,W+w)-w', '40+20*sin(n/9)'],
  [50, 50, '0x2060c0', 'W-mod(n*2.5,W+w)', '180+60*sin(n/13)'],
  [36, 70, '0x30a040', '300+200*sin(n/25)', 'H-h-10'],
];
const ONE = [[60, 60, '0xd04020', '280+240*sin(n/30)', '150+90*cos(n/23)']];

/** From 0 to `end` and back again, without end. */
const toAndFro = (along, end) => `${end}-abs(mod(${along},${2 * end})-${end})`;

const pan = (w, h) =>
  `${still(w * 2, h * 2, 7)},crop=${w}:${h}:x='${toAndFro('n*3', w)}':y='${toAndFro('n', h)}'`;

/** Rows of dark blocks of the widths of words, as a subtitle or a page has them. */
function words(x, y, width, rows, colour, seed, shown) {
  const boxes = [];
  let state = seed;
  for (let row = 0; row < rows; row++) {
    for (let at = 0; at < width;) {
      state = (state * 1103515245 + 12345) % 2147483648;
      const length = 10 + (state % 34);
      boxes.push(
        `drawbox=x=${x + at}:y=${y + row * 14}:w=${Math.min(length, width - at)}:h=7:color=${colour}:t=fill${shown}`,
      );
      at += length + 7;
    }
  }
  return boxes.join(',');
}
const SUBTITLE = { x: 170 / W, y: 300 / H, width: 300 / W, height: 40 / H };
/** One every two seconds. */
const subtitles = (frames) =>
  Array.from({ length: frames / 50 }, (_, k) =>
    words(180, 306, 280, 2, 'white', 5 + k, `:enable='between(n,${k * 50 + 6},${k * 50 + 44})'`),
  ).join(',');

/** Five scenes, or as many as it takes that none is longer than 4 s. */
function cuts(frames) {
  const scenes = Math.max(5, frames / (4 * RATE));
  const each = Array.from(
    { length: scenes },
    (_, i) =>
      `${over(still(W, H, 7 + i), [MOVERS[i % 3]]).replaceAll(/\[(ground|t\d|g\d)\]/g, `[$1c${i}]`)}` +
      `,trim=end_frame=${frames / scenes},setpts=PTS-STARTPTS[c${i}]`,
  );
  return `${each.join(';')};${each.map((_, i) => `[c${i}]`).join('')}concat=n=${scenes}`;
}

const graphs = (frames) => ({
  pan: { kind: 'camera moves', graph: pan(W, H) },
  zoom: {
    kind: 'camera moves',
    graph: `${still(W * 2, H * 2, 7)},zoompan=z='1+0.004*(${toAndFro('on', 200)})':x='iw/2-iw/zoom/2':y='ih/2-ih/zoom/2':d=1:s=${W}x${H}:fps=${RATE}`,
  },
  movers: { graph: over(still(W, H, 7), MOVERS) },
  'one mover': { graph: over(still(W, H, 7), ONE) },
  cuts: { graph: cuts(frames) },
  'sensor noise': {
    noisy: true,
    graph: `${over(still(W, H, 7), ONE)},noise=all_seed=3:alls=14:allf=t`,
  },
  letterbox: {
    kind: 'camera moves',
    bars: [
      { x: 0, y: 0, width: 1, height: 44 / H },
      { x: 0, y: 316 / H, width: 1, height: 44 / H },
    ],
    graph: `${over(
      pan(W, 272),
      MOVERS.map((m) => [...m.slice(0, 4), m[4].replace('180', '120')]),
    )},pad=${W}:${H}:0:44`,
  },
  subtitles: {
    subtitles: [SUBTITLE],
    graph: `${over(still(W, H, 7), MOVERS)},${subtitles(frames)}`,
  },
  // Windows, a page that scrolls, a line that grows, a pointer.
  screen: {
    kind: 'screen',
    graph:
      over(
        `color=0xe8e8ec:size=${W}x${H}:rate=${RATE},format=yuv444p,` +
          `drawbox=x=0:y=0:w=${W}:h=24:color=0x30343c:t=fill,drawbox=x=20:y=40:w=290:h=300:color=white:t=fill,` +
          `${words(36, 60, 250, 18, '0x404048', 3, '')},` +
          `drawbox=x=330:y=40:w=290:h=140:color=0x202428:t=fill`,
        [
          [10, 14, 'black', '200+150*sin(n/17)', '170+120*cos(n/29)'],
          [12, 12, '0x70c070', '344+mod(floor(n/2)*6,260)', '60'],
        ],
      ) +
      `[a];color=white:size=290x600:rate=${RATE},format=yuv444p,${words(10, 10, 260, 40, '0x505058', 9, '')},` +
      `crop=290:140:0:y='${toAndFro('floor(n/2)*4', 400)}'[page];[a][page]overlay=330:196`,
  },
});

const recipe = (name, graph, seconds) => ({
  name: `selection-${name.replace(' ', '-')}-${seconds}s`,
  ext: 'mp4',
  args: () => [
    ...['-f', 'lavfi', '-i', `${graph},trim=end_frame=${seconds * RATE},format=yuv420p`],
    ...['-c:v', 'libx264', '-preset', 'medium', '-crf', '20'],
  ],
});

/**
 * The recipes' clips of each of these lengths, which are multiples of 4, and every video of `folder`:
 * { name, kind, seconds, file, noisy, bars, subtitles }, `seconds` null for videos of the folder.
 */
export async function selectionClips(lengths, folder) {
  const clips = [];
  const made = lengths.map((seconds) => [seconds, graphs(seconds * RATE)]);
  for (const name of Object.keys(graphs(0))) {
    for (const [seconds, { [name]: facts }] of made) {
      const { kind = 'camera stands still', noisy = false, bars = [], graph } = facts;
      const file = await ensureClip(recipe(name, graph, seconds));
      clips.push({ name, kind, seconds, noisy, bars, subtitles: facts.subtitles ?? [], file });
    }
  }
  if (folder === undefined) return clips;
  for (const name of fs.readdirSync(folder).sort()) {
    if (!/\.(mp4|mkv|webm|mov|ts|avi|y4m)$/i.test(name)) continue;
    const file = path.join(folder, name);
    const facts = { kind: 'other videos', seconds: null, noisy: false, bars: [], subtitles: [] };
    clips.push({ name, ...facts, file });
  }
  return clips;
}
