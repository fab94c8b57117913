/** The machinery under the datasets, with a decode function whose every step the test controls. */
import { getEventListeners } from 'node:events';
import { AbortError, CodecPatchStreamError, seededRandom } from '../../../src/index.js';
import { VideoFeed } from '../../../adapters/common/feed.js';
import type { OnError } from '../../../adapters/common/feed.js';
import {
  item,
  END,
  prefetch,
  repeat,
  SerialIterator,
  shuffle,
  skip,
  take,
} from '../../../adapters/common/iterators.js';
import type { HostIterator } from '../../../adapters/common/iterators.js';
import { permutation } from '../../../adapters/common/random.js';
import { countVideos, parseOrder, sampleSource } from '../../../adapters/common/videos.js';
import type { OrderOptions, Videos } from '../../../adapters/common/videos.js';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const names = (n: number): string[] => Array.from({ length: n }, (_, i) => `v${i}`);

async function drain<T>(iterator: HostIterator<T>, limit = 1000): Promise<T[]> {
  const all: T[] = [];
  for (let i = 0; i < limit; i++) {
    const result = await iterator.next();
    if (result.done) break;
    all.push(result.value);
  }
  return all;
}

/** A decoder that counts what is alive. */
function fakeDecoder(delay: (video: string) => number = () => 1) {
  const state = {
    started: [] as string[],
    running: 0,
    live: 0,
    maxRunning: 0,
    maxLive: 0,
    aborted: 0,
  };
  const decode = async ({ video }: { video: unknown }, signal: AbortSignal) => {
    const name = video as string;
    state.started.push(name);
    state.running++;
    state.live++;
    state.maxRunning = Math.max(state.maxRunning, state.running);
    state.maxLive = Math.max(state.maxLive, state.live);
    try {
      const end = performance.now() + delay(name);
      while (performance.now() < end && !signal.aborted) await sleep(1);
      if (signal.aborted) {
        state.aborted++;
        throw new AbortError(signal.reason);
      }
      if (name.includes('bad')) {
        throw new CodecPatchStreamError('ERR_CPS_CORRUPT', 'decode', 'No frame decodes');
      }
      return { name };
    } catch (error) {
      state.live--;
      throw error;
    } finally {
      state.running--;
    }
  };
  const close = (): void => void state.live--;
  return { state, decode, close };
}

function feedOf(
  videos: Videos<string>,
  fake: ReturnType<typeof fakeDecoder>,
  options: OrderOptions & {
    depth?: number;
    concurrency?: number;
    onError?: OnError<string>;
    signal?: AbortSignal;
    idleMs?: number;
  } = {},
) {
  const { depth = 3, concurrency = depth, onError = 'throw', signal, idleMs, ...order } = options;
  return new VideoFeed<string, { name: string }>({
    source: sampleSource(videos, parseOrder(order))(),
    decode: fake.decode,
    discard: fake.close,
    depth,
    concurrency,
    onError,
    signal,
    idleMs,
  });
}

async function consume(
  feed: VideoFeed<string, { name: string }>,
  fake: ReturnType<typeof fakeDecoder>,
  work = 0,
): Promise<string[]> {
  const seen: string[] = [];
  for (;;) {
    const result = await feed.next();
    if (result.done) return seen;
    seen.push(result.value.result.name);
    await sleep(work);
    fake.close();
    feed.released();
  }
}

describe('VideoFeed', () => {
  test.each([1, 2, 5])('keeps the order and the bounds, depth %i', async (depth) => {
    const random = seededRandom(depth);
    const fake = fakeDecoder(() => random(8));
    const concurrency = Math.min(depth, 2);
    const feed = feedOf(names(20), fake, { depth, concurrency });
    expect(await consume(feed, fake, 2)).toEqual(names(20));
    expect(fake.state.maxLive).toBe(depth);
    expect(fake.state.maxRunning).toBe(concurrency);
    expect(fake.state.live).toBe(0);
  });

  test('reads nothing and decodes nothing before the first next()', async () => {
    const fake = fakeDecoder();
    let opened = 0;
    const feed = feedOf(() => (opened++, names(3)), fake);
    await sleep(20);
    expect([opened, fake.state.started.length]).toEqual([0, 0]);
    await feed.next();
    expect(opened).toBe(1);
    feed.close();
  });

  test('decodes ahead while the consumer is busy', async () => {
    const fake = fakeDecoder(() => 2);
    const feed = feedOf(names(10), fake, { depth: 4 });
    await feed.next();
    await sleep(40);
    expect(fake.state.started).toEqual(names(4));
    fake.close();
    feed.released();
    await sleep(40);
    expect(fake.state.started).toEqual(names(5));
    feed.close();
  });

  test('many calls of next() at once, more than there are videos', async () => {
    const fake = fakeDecoder(() => 2);
    const feed = feedOf(names(4), fake, { depth: 2 });
    const results = await Promise.all(Array.from({ length: 9 }, () => feed.next()));
    expect(results.map((r) => r.value?.result.name)).toEqual([
      ...names(4),
      ...Array<undefined>(5).fill(undefined),
    ]);
  });

  test("an error comes once, in its place, names the video, and 'throw' goes on after it", async () => {
    const fake = fakeDecoder();
    const feed = feedOf(['a', 'bad.mp4', 'c'], fake);
    expect((await feed.next()).value?.result.name).toBe('a');
    const error: unknown = await feed.next().catch((e: unknown) => e);
    expect(error).toBeInstanceOf(CodecPatchStreamError);
    expect(error).toMatchObject({
      message: 'bad.mp4: No frame decodes',
      code: 'ERR_CPS_CORRUPT',
      stage: 'decode',
      video: 'bad.mp4',
      index: 1,
    });
    expect((await feed.next()).value?.result.name).toBe('c');
    expect((await feed.next()).done).toBe(true);
  });

  test("'skip' leaves the rest in order; a function is told and decides", async () => {
    const videos = ['bad0', 'a', 'bad1', 'bad2', 'b', 'bad3'];
    const fake = fakeDecoder();
    expect(await consume(feedOf(videos, fake, { onError: 'skip' }), fake)).toEqual(['a', 'b']);
    const told: unknown[] = [];
    const onError: OnError<string> = (error, sample) => {
      told.push([error.message, sample.entry, sample.index]);
      return sample.entry === 'bad2' ? 'throw' : undefined;
    };
    const feed = feedOf(videos, fake, { onError });
    expect((await feed.next()).value?.result.name).toBe('a');
    await expect(feed.next()).rejects.toThrow('bad2: No frame decodes');
    expect((await feed.next()).value?.result.name).toBe('b');
    expect((await feed.next()).done).toBe(true);
    expect(told).toEqual([
      ['bad0: No frame decodes', 'bad0', 0],
      ['bad1: No frame decodes', 'bad1', 2],
      ['bad2: No frame decodes', 'bad2', 3],
      ['bad3: No frame decodes', 'bad3', 5],
    ]);
  });

  test('an error of the source comes after the videos before it, once, and ends it', async () => {
    const fake = fakeDecoder();
    const feed = feedOf(function* () {
      yield 'a';
      throw new Error('the list is gone');
    }, fake);
    expect((await feed.next()).value?.result.name).toBe('a');
    await expect(feed.next()).rejects.toThrow('the list is gone');
    expect((await feed.next()).done).toBe(true);
  });

  test('abort: the waiting call rejects at once, everything is freed, then it is over', async () => {
    const fake = fakeDecoder((video) => (video === 'v0' ? 1 : 5000));
    const controller = new AbortController();
    const feed = feedOf(names(9), fake, { signal: controller.signal });
    await feed.next();
    fake.close();
    const pending = feed.next();
    await sleep(10);
    controller.abort(new Error('enough'));
    await expect(pending).rejects.toMatchObject({ name: 'AbortError', cause: new Error('enough') });
    expect((await feed.next()).done).toBe(true);
    await sleep(10);
    expect(fake.state.live).toBe(0);
    const late = feedOf(names(2), fake, { signal: controller.signal });
    await expect(late.next()).rejects.toMatchObject({ name: 'AbortError' });
    expect(fake.state.started).not.toContain('v5');
  });

  test('abort while the source hangs', async () => {
    const controller = new AbortController();
    const fake = fakeDecoder();
    const feed = feedOf(
      async function* () {
        await new Promise(() => undefined);
        yield 'never';
      },
      fake,
      { signal: controller.signal },
    );
    const pending = feed.next();
    await sleep(5);
    controller.abort();
    await expect(pending).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('an abandoned feed stops and frees by itself, and goes on if it was not', async () => {
    const fake = fakeDecoder((video) => (video === 'v2' ? 5000 : 1));
    const feed = feedOf(names(6), fake, { depth: 3, idleMs: 100 });
    await feed.next();
    fake.close();
    feed.released();
    await sleep(20);
    expect(fake.state.live).toBe(3); // v1 decoded, v2 on its way, v3 decoded
    await sleep(250);
    expect(fake.state).toMatchObject({ live: 0, running: 0, aborted: 1 });
    fake.state.started.length = 0;
    expect((await feed.next()).value?.result.name).toBe('v1');
    expect(fake.state.started).toEqual(['v1', 'v2', 'v3']);
    feed.close();
  });

  test('a slow consumer pays for the idleness once: the wait doubles', async () => {
    const fake = fakeDecoder(() => 1);
    const feed = feedOf(names(6), fake, { depth: 2, idleMs: 200 });
    for (let i = 0; i < 3; i++) {
      await feed.next();
      fake.close();
      await sleep(300);
    }
    // Given up after 200 ms, so v1 is decoded again; 300 ms are less than the next wait.
    expect(fake.state.started).toEqual(['v0', 'v1', 'v1', 'v2', 'v3']);
    feed.close();
  });

  test('a result that comes after the end, signal or not, is freed', async () => {
    const fake = fakeDecoder();
    let finish = (): void => undefined;
    const feed = new VideoFeed<string, { name: string }>({
      source: sampleSource(names(3), parseOrder({}))(),
      decode: async (sample) => {
        fake.state.live++;
        if (sample.index > 0) await new Promise<void>((resolve) => (finish = resolve));
        return { name: sample.entry };
      },
      discard: fake.close,
      depth: 2,
      concurrency: 2,
      onError: 'throw',
    });
    await feed.next();
    fake.close();
    await sleep(5);
    expect(fake.state.live).toBe(1);
    feed.close();
    finish();
    await sleep(5);
    expect(fake.state.live).toBe(0);
  });

  test('a long-lived signal does not keep feeds that are over', async () => {
    const { signal } = new AbortController();
    const fake = fakeDecoder();
    const [whole, left, idle] = ['a', 'b', 'c'].map(() =>
      feedOf(names(2), fake, { signal, idleMs: 50 }),
    );
    await consume(whole as never, fake);
    await left?.next();
    left?.close();
    await idle?.next();
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await sleep(150);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  test('what is given back comes again, in order, or is freed with the rest', async () => {
    const fake = fakeDecoder();
    const feed = feedOf(names(5), fake, { depth: 2, idleMs: 100 });
    const taken = [await feed.next(), await feed.next(), await feed.next()];
    feed.giveBack(taken.flatMap(({ value }) => (value ? [value] : [])));
    expect((await feed.next()).value?.result.name).toBe('v0');
    fake.close();
    await sleep(250);
    expect(fake.state.live).toBe(0);
    expect(await consume(feed, fake)).toEqual(['v1', 'v2', 'v3', 'v4']);
    const over = feedOf(names(2), fake);
    const last = await over.next();
    over.close();
    over.giveBack(last.value ? [last.value] : []);
    await sleep(10);
    expect(fake.state.live).toBe(0);
  });

  test('a blocked event loop is not idleness', async () => {
    const fake = fakeDecoder(() => 1);
    const feed = feedOf(names(6), fake, { depth: 3, idleMs: 200 });
    await feed.next();
    fake.close();
    await sleep(20);
    const end = performance.now() + 400;
    while (performance.now() < end);
    await sleep(20);
    expect(fake.state.started).toEqual(names(4).slice(0, fake.state.started.length));
    expect(fake.state.live).toBeGreaterThan(0);
    feed.close();
    await sleep(5);
    expect(fake.state.live).toBe(0);
  });
});

describe('order', () => {
  const orderOf = async (videos: Videos<string>, options: OrderOptions = {}): Promise<string[]> =>
    (await drain(sampleSource(videos, parseOrder(options))())).map((sample) => sample.entry);

  test('permutation is one, and differs by seed and stream', () => {
    const p = permutation(500, seededRandom('s'));
    expect([...p].sort((a, b) => a - b)).toEqual([...Array(500).keys()]);
    expect(permutation(500, seededRandom('s'))).toEqual(p);
    expect(permutation(500, seededRandom('t'))).not.toEqual(p);
    expect(permutation(500, seededRandom('s', 1))).not.toEqual(p);
    expect(permutation(500, seededRandom(1))).not.toEqual(permutation(500, seededRandom('1')));
  });

  test('random integers are uniform', () => {
    const counts = Array<number>(7).fill(0);
    const random = seededRandom(3);
    for (let i = 0; i < 70000; i++) (counts[random(7)] as number)++ satisfies number;
    for (const count of counts) expect(Math.abs(count - 10000)).toBeLessThan(400);
  });

  test('full shuffle of an array: seeded, every epoch anew, every pass anew', async () => {
    const source = sampleSource(names(30), parseOrder({ shuffle: true, seed: 7 }));
    const epochs = [];
    for (let i = 0; i < 3; i++) {
      source(); // As fitDataset does: one iterator that is never read.
      epochs.push((await drain(source())).map((s) => s.entry));
    }
    for (const epoch of epochs) expect([...epoch].sort()).toEqual(names(30).sort());
    expect(new Set(epochs.map(String)).size).toBe(3);
    expect(await orderOf(names(30), { shuffle: true, seed: 7 })).toEqual(epochs[0]);
    const twice = await orderOf(names(30), { shuffle: true, seed: 7, repeat: 2 });
    expect(twice.slice(0, 30)).toEqual(epochs[0]);
    expect(twice.slice(30).sort()).toEqual(names(30).sort());
    expect(twice.slice(30)).not.toEqual(epochs[0]);
  });

  test('window shuffle of an iterable: nothing lost, no element earlier than its window', async () => {
    const generator = function* (): Generator<string> {
      yield* names(50);
    };
    const order = await orderOf(generator, { shuffle: 8 });
    expect(order).not.toEqual(names(50));
    expect([...order].sort()).toEqual(names(50).sort());
    order.forEach((name, at) => expect(Number(name.slice(1))).toBeLessThan(at + 8));
  });

  test('shards are disjoint, complete, counted, and stay so when shuffled', async () => {
    for (const shuffled of [false, true]) {
      const shards = await Promise.all(
        [0, 1, 2].map((index) =>
          orderOf(names(11), { shuffle: shuffled, shard: { index, count: 3 } }),
        ),
      );
      expect(shards.flat().sort()).toEqual(names(11).sort());
      const counts = [0, 1, 2].map((index) =>
        countVideos(names(11), parseOrder({ shard: { index, count: 3 } })),
      );
      expect(shards.map((s) => s.length)).toEqual(counts);
      expect(shards[1]?.includes('v1')).toBe(true);
    }
  });

  test('a generator that has been started gives one pass, and says so at the second', async () => {
    const started = (function* () {
      yield* names(2);
    })();
    const source = sampleSource(started, parseOrder({}));
    expect(await drain(source())).toHaveLength(2);
    await expect(source().next()).rejects.toThrow(/read already.*generator function itself/);
    expect(await orderOf(() => started)).toEqual([]);
  });

  test('an endless repetition of nothing ends', async () => {
    expect(await orderOf([], { repeat: Infinity })).toEqual([]);
    expect(await orderOf(async function* () {}, { repeat: Infinity, shuffle: true })).toEqual([]);
  });

  test('asynchronous sources, and their clean-up', async () => {
    let closed = false;
    const source = async function* (): AsyncGenerator<string> {
      try {
        for (const name of names(100)) yield await Promise.resolve(name);
      } finally {
        closed = true;
      }
    };
    const iterator = sampleSource(source, parseOrder({}))();
    expect((await drain(iterator, 3)).map((s) => s.entry)).toEqual(names(3));
    iterator.close();
    await sleep(1);
    expect(closed).toBe(true);
  });

  test('entries that are no videos', async () => {
    await expect(orderOf(['a', 7 as never])).rejects.toThrow(/videos\[1\] but received 7/);
  });
});

describe('iterators over host memory', () => {
  class Numbers extends SerialIterator<number> {
    at = 0;
    closed = 0;
    constructor(readonly end: number) {
      super();
    }
    protected async step() {
      await sleep(1);
      if (this.at === 5 && this.end > 5) {
        this.at++;
        throw new Error('five');
      }
      return this.at < this.end ? item(this.at++) : END;
    }
    close(): void {
      this.closed++;
      this.at = this.end;
    }
  }

  test('take closes with its last element, skip drops, repeat reopens', async () => {
    const numbers = new Numbers(5);
    expect(await drain(take(numbers, 3))).toEqual([0, 1, 2]);
    expect(numbers.closed).toBe(1);
    expect(await drain(skip(new Numbers(5), 3))).toEqual([3, 4]);
    expect(await drain(skip(new Numbers(2), 3))).toEqual([]);
    expect(await drain(repeat(() => new Numbers(2), 3))).toEqual([0, 1, 0, 1, 0, 1]);
    expect(await drain(repeat(() => new Numbers(0), Infinity))).toEqual([]);
  });

  test('prefetch: as many ahead as asked for, order kept, errors in their place', async () => {
    const numbers = new Numbers(9);
    const ahead = prefetch(numbers, 3);
    await sleep(5);
    expect(numbers.at).toBe(0);
    expect((await ahead.next()).value).toBe(0);
    await sleep(20);
    expect(numbers.at).toBe(4);
    expect(await drain(ahead, 4)).toEqual([1, 2, 3, 4]);
    await expect(ahead.next()).rejects.toThrow('five');
    expect(await drain(ahead)).toEqual([6, 7, 8]);
  });

  test('shuffle: a permutation for each seed and pass', async () => {
    const once = await drain(shuffle(new Numbers(5), 3, 's', 0));
    expect([...once].sort()).toEqual([0, 1, 2, 3, 4]);
    expect(await drain(shuffle(new Numbers(5), 3, 's', 0))).toEqual(once);
  });
});
