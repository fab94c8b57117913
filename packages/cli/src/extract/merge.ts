/** From finished shards to a data set: checks that all are there and writes the manifest. */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../files.js';
import { outputError, removePieces, writeBeside } from './pieces.js';
import { readPlan } from './plan.js';
import type { Plan } from './plan.js';
import { merged, readResult } from './shard.js';
import { failuresFile, FORMAT, FORMAT_VERSION, manifestFile, stateFolder } from './shards.js';
import type { Failure, Manifest, ShardInfo, ShardResult } from './shards.js';

/** 0-2, 5 */
function ranges(numbers: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else runs.push([number, number]);
  }
  const text = runs.slice(0, 20).map(([a, b]) => (a === b ? `${a}` : `${a}-${b}`));
  return text.join(', ') + (runs.length > 20 ? ', ...' : '');
}

export interface Merged {
  readonly manifest: Manifest;
  /** Shards that are not finished; the manifest was not written then. */
  readonly missing: readonly number[];
}

async function isThere(out: string, { file, bytes }: ShardInfo): Promise<boolean> {
  return (await stat(join(out, file)).catch(() => undefined))?.size === bytes;
}

/** What is finished so far. */
async function gather(out: string, plan: Plan): Promise<Merged> {
  const missing: number[] = [];
  const shards: ShardInfo[] = [];
  const failures: Failure[] = [];
  const versions = new Map<string, Set<string>>();
  let tensors: ShardResult['tensors'] = {};
  for (let shard = 0; shard < plan.shards.length; shard++) {
    const result = await readResult(out, shard);
    if (!result || !(await isThere(out, result))) {
      missing.push(shard);
      continue;
    }
    const { file, samples, bytes, sha256 } = result;
    shards.push({ file, samples, bytes, sha256 });
    failures.push(...result.failures);
    tensors = merged([tensors, result.tensors]);
    for (const [name, version] of Object.entries(result.versions)) {
      versions.set(name, (versions.get(name) ?? new Set()).add(version));
    }
  }
  const { recipe, members, shardVideos, decoding, format } = plan.settings;
  const manifest: Manifest = {
    ...{ format: FORMAT, formatVersion: FORMAT_VERSION, layout: format, members },
    ...{ recipe, decoding, shardVideos },
    versions: Object.fromEntries([...versions].map(([name, all]) => [name, [...all].sort()])),
    videos: plan.videos,
    samples: shards.reduce((sum, { samples }) => sum + samples, 0),
    bytes: shards.reduce((sum, { bytes }) => sum + bytes, 0),
    ...{ tensors, shards, failures },
  };
  return { manifest, missing };
}

/** Pieces that a killed process has left of shards that others have finished. */
async function sweep(out: string): Promise<void> {
  for (const entry of await readdir(stateFolder(out), { withFileTypes: true })) {
    const place = join(stateFolder(out), entry.name);
    if (entry.isDirectory()) await removePieces(place);
    else if (/\.(part|new)$/.test(entry.name)) await rm(place, { force: true });
  }
}

/** Writes manifest.json and failures.jsonl where every shard is finished. */
export async function mergeShards(out: string): Promise<Merged> {
  const plan = await readPlan(out);
  if (!plan)
    throw new UsageError(`Expected a folder that extract has written but received '${out}'`);
  const result = await gather(out, plan);
  if (result.missing.length > 0) return result;
  const { failures } = result.manifest;
  const lines = failures.map((failure) => Buffer.from(`${JSON.stringify(failure)}\n`));
  try {
    if (lines.length > 0) await writeBeside(failuresFile(out), lines, { sync: true });
    else await rm(failuresFile(out), { force: true });
    const text = Buffer.from(`${JSON.stringify(result.manifest, null, 1)}\n`);
    await writeBeside(manifestFile(out), [text], { sync: true });
  } catch (error) {
    throw outputError(manifestFile(out), error);
  }
  await sweep(out);
  return result;
}

/** Whether every shard has its result, from a look at the names alone. */
export async function allFinished(out: string, shards: number): Promise<boolean> {
  const names = await readdir(stateFolder(out), { withFileTypes: true });
  return (
    names.filter((one) => one.isFile() && /^shard-\d+\.json$/.test(one.name)).length === shards
  );
}

/** What is not finished, in words. */
export const missingText = ({ missing, manifest }: Merged): string => {
  const total = manifest.shards.length + missing.length;
  return `${missing.length} of ${total} shards are not finished: ${ranges(missing)}`;
};
