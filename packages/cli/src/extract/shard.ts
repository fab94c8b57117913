/** The unit of work: the videos of one shard in, the shard out. */
import { createHash } from 'node:crypto';
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tensor } from 'codec-patch-stream';
import { failureOf, isPressure, SampleError, Stopped } from './failures.js';
import { sampleJson } from './json.js';
import { sampleBytes, TAR_END } from './members.js';
import { findPieces, outputError, pieceId, PiecesGone } from './pieces.js';
import { readPiece, removePieces, writeBeside, writePiece } from './pieces.js';
import type { Piece, Tensors } from './pieces.js';
import { isLayout, writeLayout } from './layouts.js';
import { makeSample, tensorNames } from './sample.js';
import type { Sample } from './sample.js';
import { keyOf, pieceFolder, resultFile, shardFile } from './shards.js';
import type { Failure, Settings, ShardIo, ShardJob, ShardResult, VideoRow } from './shards.js';
import { isRemote, localContent, openSource } from './sources.js';
import type { Opened } from './sources.js';
import { versions } from './versions.js';

/** The result of an earlier try, where there is one. */
export async function readResult(out: string, shard: number): Promise<ShardResult | undefined> {
  try {
    return JSON.parse(await readFile(resultFile(out, shard), 'utf8')) as ShardResult;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    // Half a file of a power failure: as if it were not there.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const MISSING = 'missing';

/**
 * Whether what an earlier try has made still stands: the archive is there, and no local video has become
 * another one. A video that is gone since then does not matter; one that was missing and is there does.
 */
async function isCurrent(
  result: ShardResult,
  { videos, settings }: ShardJob,
  io: ShardIo,
): Promise<boolean> {
  const archive = await stat(join(io.out, result.file)).catch(() => undefined);
  if (archive?.size !== result.bytes) return false;
  if (result.first !== videos[0]?.index || result.videos !== videos.length) return false;
  if (io.retryFailed === true && result.failures.length > 0) return false;
  const same = videos.map(async ({ path }, i) => {
    if (isRemote(path)) return true;
    const now = await localContent(path, { root: io.root, hash: settings.hash }).catch(
      () => undefined,
    );
    return now === undefined || now === result.contents[i];
  });
  return (await Promise.all(same)).every(Boolean);
}

const tensorsOf = (tensors: Readonly<Record<string, Tensor>>): Tensors =>
  Object.fromEntries(
    Object.keys(tensors)
      .sort()
      .map((name) => {
        const { dtype, shape } = tensors[name] as Tensor;
        return [name, { dtype, shape }];
      }),
  );

/** Axes in which samples differ are null. */
export function merged(all: readonly Tensors[]): Tensors {
  const result: Record<string, Tensors[string]> = {};
  for (const tensors of all) {
    for (const [name, { dtype, shape }] of Object.entries(tensors)) {
      const before = result[name]?.shape ?? shape;
      const sides =
        before.length === shape.length
          ? before.map((side, i) => (side === shape[i] ? side : null))
          : [];
      result[name] = { dtype, shape: sides };
    }
  }
  return result;
}

/** Pieces are read as a whole; Node reads no longer files so. */
const MOST_BYTES = 2 ** 31 - 2 ** 20;

/** What stands in the shard for this sample: members of an archive, or a line about files of its own. */
async function bytesOf(
  row: VideoRow,
  sample: Sample,
  { format, members }: Settings,
  { out }: ShardIo,
): Promise<Buffer> {
  if (!isLayout(format)) {
    const json = sampleJson(row, sample.facts);
    return sampleBytes(keyOf(row.index), sample.tensors, json, members);
  }
  const written = await writeLayout(format, out, row, sample);
  return Buffer.from(`${sampleJson(row, sample.facts, written)}\n`);
}

/** Decodes one video and writes its piece. */
async function makePiece(
  folder: string,
  row: VideoRow,
  opened: Opened,
  settings: Settings,
  io: ShardIo,
): Promise<Piece> {
  const machine = { ...io.machine, ...(io.signal && { signal: io.signal }) };
  const sample = await makeSample(settings, row, opened, machine);
  try {
    const wanted = [...tensorNames(settings.recipe)].sort().join(', ');
    const names = Object.keys(sample.tensors).sort().join(', ');
    if (names !== wanted) {
      throw new SampleError('ERR_CPS_UNSUPPORTED', `Its tensors are ${names} instead of ${wanted}`);
    }
    const bytes = await bytesOf(row, sample, settings, io);
    if (bytes.length > MOST_BYTES) {
      const much = `${bytes.length} bytes, and a sample may have ${MOST_BYTES}`;
      throw new SampleError('ERR_CPS_UNSUPPORTED', `Its tensors take ${much}`);
    }
    const tensors = isLayout(settings.format) ? {} : tensorsOf(sample.tensors);
    return await writePiece(folder, row.index, opened.content, bytes, tensors);
  } finally {
    sample.close();
  }
}

interface Outcome {
  readonly content: string;
  readonly piece?: Piece;
  readonly failure?: Failure;
}

/** What becomes of one video; rejects for what is not about it. */
async function outcomeOf(
  folder: string,
  row: VideoRow,
  found: ReadonlyMap<string, Piece>,
  { settings }: ShardJob,
  io: ShardIo,
): Promise<Outcome> {
  const { index, path } = row;
  let content = MISSING;
  for (let again = false; ; again = true) {
    try {
      const open = { root: io.root, hash: settings.hash, signal: io.signal };
      const opened = await openSource(path, open);
      content = opened.content;
      const aside = io.setAside?.get(index);
      if (aside) return { content, failure: aside };
      const known = found.get(pieceId(index, content));
      if (known) return { content, piece: known };
      io.onEvent?.({ event: 'started', index, path });
      return { content, piece: await makePiece(folder, row, opened, settings, io) };
    } catch (error) {
      if (io.signal?.aborted) throw new Stopped();
      // Once more before it counts: others have ended meanwhile.
      if (isPressure(error) && !again) continue;
      const failure = failureOf(row, error);
      if (!failure) throw error;
      return { content, failure };
    }
  }
}

/** All videos, so many at once as the worker has room for; stops at the first error that is about no video. */
async function outcomes(
  folder: string,
  found: ReadonlyMap<string, Piece>,
  job: ShardJob,
  io: ShardIo,
): Promise<Outcome[]> {
  const stop = new AbortController();
  const over = (): void => stop.abort();
  io.signal?.addEventListener('abort', over);
  const own: ShardIo = { ...io, signal: stop.signal };
  if (io.signal?.aborted) stop.abort();
  const work = async (row: VideoRow): Promise<Outcome> => {
    if (stop.signal.aborted || io.drain?.aborted) throw new Stopped();
    try {
      const outcome = await outcomeOf(folder, row, found, job, own);
      const { index, path } = row;
      if (outcome.failure) io.onEvent?.({ event: 'failed', ...outcome.failure });
      else io.onEvent?.({ event: 'video', index, path });
      return outcome;
    } catch (error) {
      stop.abort();
      throw error;
    }
  };
  try {
    const all = await Promise.allSettled(job.videos.map((row) => io.limit.run(() => work(row))));
    const errors = all.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    // The one that stopped the others, if any did.
    const first = errors.find((error) => !(error instanceof Stopped)) ?? errors[0];
    if (first !== undefined) throw first as Error;
    return all.map((one) => (one as PromiseFulfilledResult<Outcome>).value);
  } finally {
    io.signal?.removeEventListener('abort', over);
  }
}

/** A piece that is not what was written; its video is done again. */
class BrokenPiece extends Error {}

/** Looks at all of them: where a power failure has left one it may have left more. */
async function removeBroken(pieces: readonly Piece[]): Promise<void> {
  for (const piece of pieces) {
    const read = await readPiece(piece).catch(() => undefined);
    if (!read) await rm(piece.file, { force: true });
  }
}

interface Archive {
  readonly bytes: number;
  readonly sha256: string;
  readonly tensors: Tensors;
}

/** Puts the pieces together; the shard is there as a whole or not at all. */
async function assemble(
  folder: string,
  target: string,
  pieces: readonly Piece[],
  end: Uint8Array,
): Promise<Archive> {
  const hash = createHash('sha256');
  const all: Tensors[] = [];
  let length = 0;
  const counted = (bytes: Uint8Array): Uint8Array => {
    hash.update(bytes);
    length += bytes.length;
    return bytes;
  };
  async function* archive(): AsyncGenerator<Uint8Array> {
    for (const piece of pieces) {
      const read = await readPiece(piece);
      if (!read) throw new BrokenPiece(piece.file);
      all.push(read.tensors);
      yield counted(read.members);
    }
    if (end.length > 0) yield counted(end);
  }
  await writeBeside(target, archive(), { sync: true, beside: folder });
  return { bytes: length, sha256: hash.digest('hex'), tensors: merged(all) };
}

/** Does the videos and puts them together; undefined: pieces are gone or broken, so once more. */
async function attempt(
  folder: string,
  job: ShardJob,
  io: ShardIo,
): Promise<ShardResult | undefined> {
  const { shard, videos, settings } = job;
  let done: Outcome[];
  try {
    done = await outcomes(folder, await findPieces(folder), job, io);
  } catch (error) {
    if (error instanceof PiecesGone) return undefined;
    throw error;
  }
  const pieces = done.flatMap(({ piece }) => (piece ? [piece] : []));
  const file = shardFile(shard, settings.format);
  const end = isLayout(settings.format) ? Buffer.alloc(0) : TAR_END;
  let archive: Archive;
  try {
    archive = await assemble(folder, join(io.out, file), pieces, end);
  } catch (error) {
    if (error instanceof BrokenPiece) {
      await removeBroken(pieces);
      return undefined;
    }
    // Another process has finished this shard and tidied up.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw outputError(join(io.out, file), error);
  }
  const result: ShardResult = {
    ...{ shard, file, samples: pieces.length, bytes: archive.bytes, sha256: archive.sha256 },
    ...{ first: videos[0]?.index ?? 0, videos: videos.length, tensors: archive.tensors },
    failures: done.flatMap(({ failure }) => (failure ? [failure] : [])),
    contents: done.map(({ content }) => content),
    versions: versions(),
  };
  const text = Buffer.from(`${JSON.stringify(result)}\n`);
  try {
    await writeBeside(resultFile(io.out, shard), [text], { sync: true });
  } catch (error) {
    // Another process has finished the whole list and swept up meanwhile.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw outputError(resultFile(io.out, shard), error);
  }
  return result;
}

const TRIES = 5;

/** What becomes of a video is told once, however often its shard is tried. */
function toldOnce(io: ShardIo): ShardIo {
  const told = new Set<number>();
  const onEvent: ShardIo['onEvent'] = (event) => {
    if (event.event === 'failed' || event.event === 'video') {
      if (told.has(event.index)) return;
      told.add(event.index);
    }
    io.onEvent?.(event);
  };
  return { ...io, onEvent };
}

/**
 * Makes one shard: every video of `job` is in it or among its failures. Takes what an earlier try has made:
 * the whole shard, or the videos that it had finished. Any number of processes may do the same job
 * at once. Rejects with Stopped after io.signal or io.drain, and for what is no video's fault (a full
 * disk, a lost device).
 */
export async function extractShard(job: ShardJob, given: ShardIo): Promise<ShardResult> {
  const io = toldOnce(given);
  const { shard } = job;
  const folder = pieceFolder(io.out, shard);
  for (let tries = 0; tries < TRIES; tries++) {
    const before = await readResult(io.out, shard);
    if (before && (await isCurrent(before, job, io))) {
      await removePieces(folder);
      for (const failure of before.failures) io.onEvent?.({ event: 'failed', ...failure });
      const { samples } = before;
      io.onEvent?.({ event: 'shard', shard, samples, reused: true });
      return before;
    }
    const result = await attempt(folder, job, io);
    if (!result) continue;
    await removePieces(folder);
    io.onEvent?.({ event: 'shard', shard, samples: result.samples, reused: false });
    return result;
  }
  throw new Error(`What was written of shard ${shard} could not be read back ${TRIES} times`);
}
