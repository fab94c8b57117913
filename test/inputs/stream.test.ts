/** inputStream over videos whose entries come one by one: who waits for what, and what ends a wait. */
import { nativeStats } from '../../src/index.js';
import { inputStream } from '../../src/inputs/index.js';
import { fixturePath } from '../helpers/fixtures.js';
import { buffersInUse } from '../helpers/native-memory.js';

const video = fixturePath('h264_bpyramid.mp4');
const options = { sample: { count: 2 } } as const;
const ways = [
  ['whole videos', options],
  ['windows', { ...options, windows: { frames: 200 } }],
] as const;

/** A promise and what settles it. */
function gate(): { readonly opened: Promise<void>; open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

/** Gives some videos, then says that it is asked for more, and waits for ever; return() is noted. */
function endless(count: number) {
  const asked = gate();
  const state = { given: 0, returned: 0 };
  const videos = {
    [Symbol.asyncIterator]: () => ({
      next: (): Promise<IteratorResult<string, undefined>> => {
        if (state.given++ < count) return Promise.resolve({ value: video, done: false });
        asked.open();
        return new Promise(() => undefined);
      },
      return: (): Promise<IteratorResult<string, undefined>> => {
        state.returned++;
        return Promise.resolve({ value: undefined, done: true });
      },
    }),
  };
  return { videos, asked: asked.opened, state };
}

async function expectBuffers(before: number): Promise<void> {
  while (nativeStats().liveBuffers > before) await new Promise((done) => setTimeout(done, 5));
}

const batched = { windows: { frames: 40 }, batchSize: 2 }; // 100 frames: the last batch is not full
test.each([...ways, ['windows in batches', { ...options, ...batched }]] as const)(
  '%s: each is given before the next entry is there',
  async (_, given) => {
    let used = gate();
    async function* oneByOne() {
      for (let i = 0; i < 4; i++) {
        used = gate();
        yield { video, i };
        await used.opened; // of the loop below: hangs where it does not get this one before
      }
    }
    const seen: number[] = [];
    for await (const inputs of inputStream(oneByOne(), 'clip', given)) {
      const [first] = inputs.videos;
      inputs.close();
      if (first?.window?.index === 0 && 'batchSize' in given) continue; // two of its three
      seen.push(first?.entry.i ?? -1);
      used.open();
    }
    expect(seen).toEqual([0, 1, 2, 3]);
  },
);

test('entries that are there are begun while one is used, prefetchDepth of them', async () => {
  const { videos, asked, state } = endless(8);
  const stream = inputStream(videos, 'clip', { ...options, prefetchDepth: 3 });
  (await stream.next()).value?.close();
  while (state.given < 4) await new Promise(setImmediate);
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
  expect(state.given).toBe(4); // one that was given, three ahead
  for (let i = 1; i < 6; i++) (await stream.next()).value?.close();
  await asked;
  await stream.return?.();
  expect(state.returned).toBe(1);
});

test.each(ways)('%s: the signal ends a wait for an entry', async (_, given) => {
  const before = await buffersInUse();
  const { videos, asked, state } = endless(1);
  const abort = new AbortController();
  const stream = inputStream(videos, 'clip', { ...given, signal: abort.signal });
  (await stream.next()).value?.close();
  const pending = stream.next();
  await asked;
  const reason = new Error('enough');
  abort.abort(reason);
  await expect(pending).rejects.toMatchObject({ name: 'AbortError', cause: reason });
  expect(state.returned).toBe(1);
  expect(await stream.next()).toEqual({ value: undefined, done: true });
  await expectBuffers(before);
});

test.each(ways)('%s: return() ends a wait for an entry', async (_, given) => {
  const before = await buffersInUse();
  const { videos, asked, state } = endless(1);
  const stream = inputStream(videos, 'clip', given);
  (await stream.next()).value?.close();
  const pending = stream.next();
  await asked;
  expect(await stream.return?.()).toEqual({ value: undefined, done: true });
  expect(await pending).toEqual({ value: undefined, done: true });
  expect(state.returned).toBe(1);
  await expectBuffers(before);
});

test.each(ways)('%s: return() while a video decodes ends that, too', async (_, given) => {
  const before = await buffersInUse();
  const stream = inputStream(new Array<string>(8).fill(video), 'clip', given);
  const pending = stream.next();
  await new Promise(setImmediate);
  await stream.return?.();
  expect(await pending).toEqual({ value: undefined, done: true });
  await expectBuffers(before);
});

test.each(ways)("%s: an error of the list comes behind the list's videos", async (_, given) => {
  const before = await buffersInUse();
  const failing = function* () {
    yield video;
    yield video;
    throw new Error('list');
  };
  const stream = inputStream(failing, 'clip', given);
  for (let i = 0; i < 2; i++) (await stream.next()).value?.close();
  await expect(stream.next()).rejects.toThrow('list');
  expect((await stream.next()).done).toBe(true);
  await expectBuffers(before);
});

test('a list that is left in time is let to clean up before the loop goes on', async () => {
  let cleaned = false;
  async function* many() {
    try {
      for (;;) yield video;
    } finally {
      await new Promise((done) => setTimeout(done, 5));
      cleaned = true;
    }
  }
  for await (const inputs of inputStream(many(), 'clip', options)) {
    inputs.close();
    break;
  }
  expect(cleaned).toBe(true);
});
