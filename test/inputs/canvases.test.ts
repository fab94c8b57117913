/** Canvases of LLaVA-OneVision-2's codec input: groups and order against naive ones, pixels against decodeOnly. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as fc from 'fast-check';
import { decodeOnly, nativeStats, openVideo, patchStream } from '../../src/index.js';
import { canvasFrames, groupFrames, packOrder } from '../../src/inputs/canvases/groups.js';
import { checkCanvasOptions, codecCanvases, modelInputs } from '../../src/inputs/index.js';
import { longForm } from '../helpers/long-form.js';
import { buffersInUse } from '../helpers/native-memory.js';

const video = path.join(__dirname, '../../assets/sample.mp4');
const numRuns = longForm ? 1000 : 100;

const scoresOf = (blocks: number, frames: { minLength: number; maxLength: number }) =>
  fc.array(fc.array(fc.nat(50), { minLength: blocks, maxLength: blocks }), frames);

describe('which frames', () => {
  const cases = fc.record({
    total: fc.integer({ min: 4, max: 300 }),
    count: fc.integer({ min: 4, max: 80 }),
    keys: fc.array(fc.nat(299), { maxLength: 40 }),
  });

  test('as many as asked or all, spread over the video; key frames only where nothing else is left', () => {
    fc.assert(
      fc.property(cases, ({ total, count, keys }) => {
        const ids = canvasFrames(total, count, keys);
        expect(ids).toHaveLength(Math.min(total, count));
        expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
        expect(ids.every((id) => Number.isInteger(id) && id >= 0 && id < total)).toBe(true);
        const isKey = new Set(keys.filter((key) => key < total));
        const plain = canvasFrames(total, count, []);
        const n = plain.length;
        plain.forEach((id, i) => {
          expect(id).toBe(Number((BigInt(i) * BigInt(total - 1)) / BigInt(Math.max(1, n - 1))));
        });
        const others = total - isKey.size;
        const taken = ids.filter((id) => isKey.has(id)).length;
        if (taken === 0 || others <= n) return;
        // A key frame with no other one within four stays where it is.
        for (const id of ids.filter((key) => isKey.has(key))) {
          for (let d = 1; d <= 4; d++) {
            for (const other of [id - d, id + d]) {
              expect(other < 0 || other >= total || isKey.has(other)).toBe(true);
            }
          }
        }
      }),
      { numRuns },
    );
  });

  test('a key frame makes way to the frame behind it, else before it', () => {
    expect(canvasFrames(100, 4, [0, 33, 34, 66, 65, 67])).toEqual([1, 32, 68, 99]);
    expect(canvasFrames(5, 5, [0, 1, 2, 3, 4])).toEqual([0, 1, 2, 3, 4]);
    expect(canvasFrames(6, 6, [2])).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

describe('groups', () => {
  type Rules = Parameters<typeof groupFrames>[1];

  /** The same in the words of the text: everything sorted anew for each frame that is added. */
  function naive(scores: readonly number[][], rules: Rules): [number, number][] {
    const room = (scores[0]?.length ?? 0) * (rules.canvases - 1);
    const best = (from: number, to: number) => {
      const all = scores
        .slice(from + 1, to)
        .flatMap((ofFrame, i) => ofFrame.map((score) => ({ score, frame: i + 1 })));
      const chosen = all.sort((a, b) => b.score - a.score || a.frame - b.frame).slice(0, room);
      return { chosen, sum: chosen.reduce((total, { score }) => total + score, 0) };
    };
    const bins = (from: number, to: number): number => {
      const last = Math.max(2, to - from);
      const edge = (i: number): number => (i === 3 ? last : Math.trunc(1 + (i * (last - 1)) / 3));
      const frames = best(from, to).chosen.map(({ frame }) => frame);
      const inBin = (i: number): boolean =>
        frames.some((f) => f >= edge(i) && f < Math.max(edge(i) + 1, edge(i + 1)));
      // Where bins overlap, the first one counts.
      const first = (f: number): number =>
        [0, 1, 2].findIndex((i) => f >= edge(i) && f < Math.max(edge(i) + 1, edge(i + 1)));
      return [0, 1, 2].filter((i) => inBin(i) && frames.some((f) => first(f) === i)).length;
    };
    const windows: number[] = [];
    for (let from = 0; from < scores.length; from += rules.window) {
      const to = Math.min(scores.length, from + rules.window);
      if (to - from >= 4) windows.push(best(from, to).sum);
    }
    const enough = windows.reduce((a, b) => a + b, 0) / Math.max(1, windows.length);
    const least = Math.max(4, Math.min(rules.least, scores.length));
    const groups: [number, number][] = [];
    let start = 0;
    while (scores.length - start >= least) {
      const most = Math.min(scores.length, start + Math.max(least, rules.most));
      let chosen: number | undefined;
      for (let to = start + least; to <= most; to++) {
        const { sum } = best(start, to);
        if (sum < enough || bins(start, to) < Math.min(3, rules.canvases - 1)) continue;
        chosen = to;
        if (to === start + least) continue;
        const before = best(start, to - 1).sum;
        if ((sum - before) / Math.max(before, 1e-6) < 0.05) break;
      }
      groups.push([start, chosen ?? most]);
      start = chosen ?? most;
    }
    return groups;
  }

  test('grow as the text says', () => {
    const rules = fc.record({
      least: fc.integer({ min: 4, max: 9 }),
      most: fc.integer({ min: 9, max: 20 }),
      window: fc.integer({ min: 4, max: 16 }),
      canvases: fc.integer({ min: 2, max: 5 }),
    });
    fc.assert(
      fc.property(scoresOf(6, { minLength: 1, maxLength: 50 }), rules, (scores, rule) => {
        const typed = scores.map((one) => Float64Array.from(one));
        expect(groupFrames(typed, rule)).toEqual(naive(scores, rule));
      }),
      { numRuns },
    );
  });

  test('hold all of the first good frame, then the best blocks of the other good ones by place', () => {
    const cases = fc.tuple(
      scoresOf(6, { minLength: 4, maxLength: 12 }),
      fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
      fc.integer({ min: 2, max: 5 }),
    );
    fc.assert(
      fc.property(cases, ([scores, good, canvases]) => {
        const typed = scores.map((one) => Float64Array.from(one));
        const { anchor, blocks } = packOrder(typed, good.slice(0, scores.length), canvases);
        const firstGood = good.slice(0, scores.length).findIndex((one) => one);
        expect(anchor).toBe(Math.max(0, firstGood));
        expect(blocks.slice(0, 6)).toEqual(
          [0, 1, 2, 3, 4, 5].map((block) => ({ frame: anchor, block })),
        );
        const rest = blocks.slice(6);
        const inOrder = rest.every(({ frame, block }, i) => {
          const before = rest[i - 1];
          return (
            !before || frame > before.frame || (frame === before.frame && block > before.block)
          );
        });
        expect(inOrder).toBe(true);
        const candidates = scores.flatMap((_, frame) =>
          good[frame] === true && frame !== anchor ? [frame] : [],
        );
        expect(rest).toHaveLength(Math.min(6 * (canvases - 1), 6 * candidates.length));
        expect(rest.every(({ frame }) => candidates.includes(frame))).toBe(true);
        const chosen = new Set(rest.map(({ frame, block }) => 6 * frame + block));
        const left = candidates.flatMap((frame) =>
          (scores[frame] ?? []).filter((_, block) => !chosen.has(6 * frame + block)),
        );
        const least = Math.min(...rest.map(({ frame, block }) => scores[frame]?.[block] ?? NaN));
        if (rest.length > 0) expect(Math.max(-1, ...left)).toBeLessThanOrEqual(least);
      }),
      { numRuns },
    );
  });
});

describe('canvases of a video', () => {
  const options = { canvases: 8, canvasesPerGroup: 2, groupFrames: 6, maxPixels: 30_000 } as const;

  test('each patch is the one of its frame, in the order of blocks; the anchor is whole', async () => {
    using canvases = await codecCanvases(video, options);
    const [count = 0, height = 0, width = 0] = canvases.canvases.shape;
    const [rows, columns] = canvases.grid;
    expect([height, width]).toEqual([rows * 14, columns * 14]);
    expect(height * width).toBeLessThanOrEqual(30_000);
    using frames = await decodeOnly({
      videoPath: video,
      sample: { indices: [...canvases.frameIds] },
      size: { exact: [height, width] },
      resample: 'area',
    });
    const place = new Map(canvases.frameIds.map((id, i) => [id, i]));
    const pixels = await canvases.canvases.toHost();
    const source = await frames.frames.toHost();
    const positions = await canvases.positions.toHost();
    expect(canvases.positions.shape).toEqual([count * rows * columns, 3]);
    let wrong = 0;
    for (let i = 0; i < count * rows * columns; i++) {
      const [id = 0, row = 0, column = 0] = positions.subarray(3 * i, 3 * i + 3);
      const canvas = Math.floor(i / (rows * columns));
      const [atRow, atColumn] = [Math.floor(i / columns) % rows, i % columns];
      // Within a block of 2 × 2 patches each keeps its place.
      expect(id < 0 || (row % 2 === atRow % 2 && column % 2 === atColumn % 2)).toBe(true);
      for (let y = 0; y < 14; y++) {
        const at = ((canvas * height + atRow * 14 + y) * width + atColumn * 14) * 3;
        const from = (((place.get(id) ?? 0) * height + row * 14 + y) * width + column * 14) * 3;
        const wanted = id < 0 ? new Uint8Array(42) : source.subarray(from, from + 42);
        if (Buffer.compare(pixels.subarray(at, at + 42), wanted) !== 0) wrong++;
      }
    }
    expect(wrong).toBe(0);
    for (const {
      anchor,
      canvases: [first],
      frames: own,
    } of canvases.groups) {
      expect(own).toContain(anchor);
      const from = first * rows * columns;
      for (let i = 0; i < rows * columns; i++) {
        const seen = [...positions.subarray(3 * (from + i), 3 * (from + i) + 3)];
        expect(seen).toEqual([anchor, Math.floor(i / columns), i % columns]);
      }
    }
    expect(canvases.groups.length).toBeGreaterThan(1);
    expect(canvases.groups.at(-1)?.canvases[1]).toBe(count);
  });

  test('blocks are chosen by the energies of patchStream, the best of each group', async () => {
    using canvases = await codecCanvases(video, { ...options, energy: 'adjacent' });
    const [rows, columns] = canvases.grid;
    const [, height = 0, width = 0] = canvases.canvases.shape;
    using stream = await patchStream({
      videoPath: video,
      sample: { indices: [...canvases.frameIds] },
      ...{ size: { exact: [height, width] }, resample: 'area', patchSize: 14, energy: 'adjacent' },
      ...{ kKeep: 1_000_000, keyFramePatches: 'compete' },
    });
    const score = new Map<string, number>();
    for (const { frameId, patchHIdx, patchWIdx, score: one } of stream.metadata) {
      const key = `${frameId} ${patchHIdx >> 1} ${patchWIdx >> 1}`;
      score.set(key, (score.get(key) ?? 0) + one);
    }
    const positions = await canvases.positions.toHost();
    for (const {
      frames,
      anchor,
      canvases: [from, to],
    } of canvases.groups) {
      const chosen = new Set<string>();
      for (let i = (from + 1) * rows * columns; i < to * rows * columns; i++) {
        const [id = 0, row = 0, column = 0] = positions.subarray(3 * i, 3 * i + 3);
        if (id >= 0) chosen.add(`${id} ${row >> 1} ${column >> 1}`);
      }
      const others = frames.filter((id) => id !== anchor);
      const left = [...score].filter(
        ([key]) => others.includes(Number(key.split(' ')[0])) && !chosen.has(key),
      );
      const least = Math.min(...[...chosen].map((key) => score.get(key) ?? NaN));
      expect(chosen.size).toBe((rows * columns) / 4);
      expect(Math.max(...left.map(([, one]) => one))).toBeLessThanOrEqual(least + 1e-6);
    }
  });

  test('the model’s tensors: rows of blocks, positions that go with them, a step for each run of a frame', async () => {
    using canvases = await codecCanvases(video, options);
    using inputs = await canvases.inputs();
    const [rows, columns] = canvases.grid;
    const [count = 0, height = 0, width = 0] = canvases.canvases.shape;
    const { pixel_values, image_grid_thw, patch_positions } = inputs.tensors;
    const total = count * rows * columns;
    expect(pixel_values?.shape).toEqual([total, 588]);
    expect(Array.from((await image_grid_thw?.toHost()) ?? [], Number)).toEqual([
      count,
      rows,
      columns,
    ]);
    expect([patch_positions?.dtype, patch_positions?.shape]).toEqual(['int64', [total, 3]]);
    const [pixels, source] = [await canvases.canvases.toHost(), await canvases.positions.toHost()];
    const [values, places] = [await pixel_values?.toHost(), await patch_positions?.toHost()];
    const [mean, std] = [
      [0.48145466, 0.4578275, 0.40821073],
      [0.26862954, 0.26130258, 0.27577711],
    ] as const;
    let i = 0;
    let off = 0;
    for (let canvas = 0; canvas < count; canvas++) {
      for (let H = 0; H < rows / 2; H++) {
        for (let W = 0; W < columns / 2; W++) {
          for (let k = 0; k < 4; k++, i++) {
            const [row, column] = [2 * H + (k >> 1), 2 * W + (k & 1)];
            const from = 3 * ((canvas * rows + row) * columns + column);
            const wanted = [...source.subarray(from, from + 3)];
            if (Array.from(places?.slice(3 * i, 3 * i + 3) ?? [], Number).join() !== wanted.join())
              off++;
            const c = i % 3;
            const [y, x] = [i % 14, (i * 5) % 14];
            const at = ((canvas * height + row * 14 + y) * width + column * 14 + x) * 3 + c;
            const value = ((pixels[at] as number) / 255 - (mean[c] as number)) / (std[c] as number);
            const seen = Number(values?.[i * 588 + c * 196 + y * 14 + x]);
            if (Math.abs(seen - value) > 1e-5) off++;
          }
        }
      }
    }
    expect(off).toBe(0);
    const [one] = inputs.videos;
    const filled = Array.from({ length: total }, (_, p) => source[3 * p] as number).filter(
      (id) => id >= 0,
    );
    expect(one?.tokens).toBe(filled.length / 4);
    expect(one?.steps.length).toBeGreaterThanOrEqual(canvases.groups.length);
    expect(one?.steps[0]).toEqual({
      seconds: (canvases.groups[0]?.anchor as number) / canvases.fps,
      tokens: expect.any(Number) as number,
    });
    using byCanvas = await canvases.inputs({
      gridPer: 'canvas',
      dtype: 'float16',
      normalize: 'signed',
    });
    expect(byCanvas.tensors['image_grid_thw']?.shape).toEqual([count, 3]);
    expect(byCanvas.tensors['pixel_values']?.dtype).toBe('float16');
  });

  test('an open video, a signal, wrong options; nothing stays behind', async () => {
    const before = await buffersInUse();
    const opened = await openVideo(video);
    using canvases = await codecCanvases(opened, {
      ...options,
      keyFrames: 'keep',
      patchSize: 16,
      maxPixels: 40_000,
    });
    expect(opened.closed).toBe(false);
    expect(canvases.patchSize).toBe(16);
    opened.close();
    canvases.close();
    canvases.close();
    expect(() => canvases.canvases).toThrow(/The canvases/);
    const abort = new AbortController();
    const call = codecCanvases(video, { ...options, signal: abort.signal });
    abort.abort();
    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
    await expect(codecCanvases(video, { canvases: 2 })).rejects.toThrow(
      /integer between 4 and 4096 for canvases/,
    );
    await expect(codecCanvases(video, { maxPixels: 100 })).rejects.toThrow(/for maxPixels/);
    await expect(codecCanvases(video, { keyFrames: 'off' as never })).rejects.toThrow(
      /'avoid' or 'keep'/,
    );
    await expect(codecCanvases(video, { kKeep: 5 } as never)).rejects.toThrow(/kKeep/);
    await expect(modelInputs(video, 'llava-onevision-2-codec' as never)).rejects.toThrow(
      /codecCanvases/,
    );
    expect(nativeStats().liveBuffers).toBe(before);
  });

  test.each([
    [{ canvases: 2 }, /integer between 4 and 4096 for canvases/],
    [{ energy: 'blok' }, /for energy but received "?'?blok/],
    [{ timeoutMs: -5 }, /for timeoutMs/],
    [
      { energy: 'codec', backend: 'gpu' },
      /for backend .*energy is 'codec'|energy is 'codec'.* for backend/,
    ],
    [{ energy: 'reference', intraEnergy: 'texture' }, /for intraEnergy/],
  ])('%j is refused of every video, and before one is opened', async (options, message) => {
    expect(() => checkCanvasOptions(options as object)).toThrow(message);
    await expect(codecCanvases('nowhere.mp4', options as object)).rejects.toThrow(message);
  });

  test('frames that show nothing are neither anchors nor give blocks; three frames are too few', async () => {
    const folder = fs.mkdtempSync(path.join(process.env['TMPDIR'] ?? '/tmp', 'cps-canvases-'));
    const clip = (
      name: string,
      frames: number,
      luma: (frame: number, at: number) => number,
    ): string => {
      const file = path.join(folder, name);
      const parts = [Buffer.from('YUV4MPEG2 W112 H112 F8:1 Ip A1:1 C420jpeg\n')];
      for (let f = 0; f < frames; f++) {
        const y = Buffer.from(Array.from({ length: 112 * 112 }, (_, i) => luma(f, i)));
        parts.push(Buffer.from('FRAME\n'), y, Buffer.alloc((112 * 112) / 2, 128));
      }
      fs.writeFileSync(file, Buffer.concat(parts));
      return file;
    };
    const textured = (f: number, i: number): number => (i * 37 + f * 11 * (i % 7)) % 256;
    const some = clip('some.y4m', 8, (f, i) => (f === 0 || f === 5 ? 130 : textured(f, i)));
    using canvases = await codecCanvases(some, {
      canvases: 2,
      canvasesPerGroup: 2,
      groupFrames: 8,
      keyFrames: 'keep',
    });
    expect(canvases.groups[0]?.anchor).toBe(1);
    const ids = new Set((await canvases.positions.toHost()).filter((_, i) => i % 3 === 0));
    expect([ids.has(0), ids.has(5), ids.has(1)]).toEqual([false, false, true]);
    const three = clip('three.y4m', 3, textured);
    await expect(codecCanvases(three)).rejects.toThrow(/at least 4 frames but it has 3/);
    fs.rmSync(folder, { recursive: true });
  });
});
