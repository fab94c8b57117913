/** Which videos are in which shard, and whether an output folder was begun with the same plan. */
import { createHash } from 'node:crypto';
import { link, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../files.js';
import { ordered } from './json.js';
import type { VideoList } from './list.js';
import { outputError, writeBeside } from './pieces.js';
import { refusesEpisodes } from './sample.js';
import { settingsFile, stateFolder } from './shards.js';
import type { Json, Settings, ShardJob, VideoRow } from './shards.js';
import type { Split } from './split.js';
import { packageVersions } from './versions.js';

/** settings.json: what later runs for the same folder must agree with. */
export interface Plan {
  readonly settings: Settings;
  readonly versions: Readonly<Record<string, string>>;
  /** What --input named; its description, in the settings, is what has to agree. */
  readonly input?: string | undefined;
  readonly videos: number;
  /** Of the rows of each shard. */
  readonly shards: readonly string[];
}

/** The rows of each shard, one after the other. */
async function* chunks(list: VideoList, size: number): AsyncGenerator<VideoRow[]> {
  let chunk: VideoRow[] = [];
  for await (const row of list.rows()) {
    chunk.push(row);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

/** The jobs of this process's share, in order. */
export async function* jobsOf(
  list: VideoList,
  settings: Settings,
  { part, of }: Split,
): AsyncGenerator<ShardJob> {
  let shard = 0;
  for await (const videos of chunks(list, settings.shardVideos)) {
    if (shard % of === part) yield { shard, videos, settings };
    shard++;
  }
}

/** Reads the list once: how long it is, whether it is a good one, and what it says. */
export async function planOf(list: VideoList, settings: Settings, input?: string): Promise<Plan> {
  const shards: string[] = [];
  let videos = 0;
  const { recipe } = settings;
  const rule = recipe.kind === 'input' ? recipe.input.sample : recipe.options['sample'];
  const refused =
    recipe.kind === 'canvases'
      ? 'canvases are of the whole video'
      : refusesEpisodes(rule as Parameters<typeof refusesEpisodes>[0]);
  for await (const rows of chunks(list, settings.shardVideos)) {
    const digest = createHash('sha256');
    for (const row of rows) {
      if (refused !== undefined && (row.fromSec ?? row.toSec ?? null) !== null) {
        throw new UsageError(
          `Expected a rule that chooses among frames for --sample (the list has episodes, as for ` +
            `${row.path}) but ${refused}`,
        );
      }
      digest.update(JSON.stringify(row)).update('\n');
    }
    shards.push(digest.digest('hex').slice(0, 16));
    videos += rows.length;
  }
  if (videos === 0) throw new UsageError('Expected at least one video but the list is empty');
  return { settings, versions: packageVersions(), input, videos, shards };
}

/** Every place in which two values differ, by name. */
function* differences(
  name: string,
  before: Json | undefined,
  now: Json | undefined,
): Generator<[string, Json | undefined, Json | undefined]> {
  if (ordered(before) === ordered(now)) return;
  const isPlain = (value: unknown): value is Readonly<Record<string, Json>> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isPlain(before) || !isPlain(now)) {
    yield [name, before, now];
    return;
  }
  for (const key of new Set([...Object.keys(before), ...Object.keys(now)])) {
    yield* differences(name === '' ? key : `${name}.${key}`, before[key], now[key]);
  }
}

/** What is extracted, as the command line says it: told before the parts of the descriptions that differ. */
function* otherInput(before: Plan, now: Plan): ReturnType<typeof differences> {
  const [was, is] = [before.settings.recipe, now.settings.recipe];
  if (ordered(was as unknown as Json) === ordered(is as unknown as Json)) return;
  if (before.settings.format !== now.settings.format) return;
  if (before.input !== now.input) yield ['--input', before.input, now.input];
}

const said = (value: Json | undefined): string =>
  value === undefined ? 'not given' : JSON.stringify(value);

/** How a setting is called on the command line. */
const FLAGS: Readonly<Record<string, string>> = {
  shardVideos: '--shard-videos',
  members: '--members',
  format: '--format',
  hash: '--hash',
};

function compare(out: string, before: Plan, now: Plan): void {
  const other = `; take another --out, or remove '${out}'`;
  const settings = [before.settings, now.settings] as unknown as [Json, Json];
  const [first] = [
    ...otherInput(before, now),
    ...differences('', ...settings),
    ...differences('version', before.versions, now.versions),
  ];
  if (first) {
    const [name, was, is] = first;
    throw new UsageError(
      `Expected the settings that '${out}' was begun with but ${FLAGS[name] ?? name} was ${said(was)} and is ` +
        `${said(is)} now${other}`,
    );
  }
  const changed = now.shards.findIndex((digest, i) => digest !== before.shards[i]);
  const [size, place] = [now.settings.shardVideos, changed * now.settings.shardVideos];
  if (before.videos !== now.videos) {
    const where =
      changed < 0 ? '' : `, and differs first among videos ${place} to ${place + size - 1}`;
    throw new UsageError(
      `Expected the list that '${out}' was begun with but it had ${before.videos} videos and has ` +
        `${now.videos} now${where}${other}`,
    );
  }
  if (changed >= 0) {
    const last = Math.min(place + size, now.videos) - 1;
    throw new UsageError(
      `Expected the list that '${out}' was begun with but it is another one among videos ${place} to ` +
        `${last}${other}`,
    );
  }
}

/** What the folder was begun with; undefined: nothing yet. */
export async function readPlan(out: string): Promise<Plan | undefined> {
  try {
    return JSON.parse(await readFile(settingsFile(out), 'utf8')) as Plan;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new UsageError(`Could not read ${settingsFile(out)}: ${(error as Error).message}`);
  }
}

/** Begins the folder with this plan, or goes on where it was begun with the same one; else throws. */
export async function beginWith(out: string, plan: Plan): Promise<void> {
  const before = await readPlan(out);
  if (before) return compare(out, before, plan);
  const foreign = (await readdir(out)).find((name) =>
    /^(shard-\d+\.(tar|jsonl)|manifest\.json)$/.test(name),
  );
  if (foreign !== undefined) {
    // Or another process has begun and finished meanwhile.
    const done = await readPlan(out);
    if (done) return compare(out, done, plan);
    throw new UsageError(
      `Expected an empty folder, or one of an earlier run, for --out but '${out}' has ${foreign}`,
    );
  }
  const file = settingsFile(out);
  const own = `${file}.${process.pid}.new`;
  try {
    await mkdir(stateFolder(out), { recursive: true });
    await writeBeside(own, [Buffer.from(`${JSON.stringify(plan)}\n`)], { sync: true });
    // Of processes that begin at the same time one wins; not every file system has links.
    await link(own, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') return rename(own, file);
    });
  } catch (error) {
    // Another process has begun and finished, and swept this away: its plan is there.
    const swept = (error as NodeJS.ErrnoException).code === 'ENOENT' && (await readPlan(out));
    if (!swept) throw outputError(join(out, '.extract'), error);
  } finally {
    await rm(own, { force: true });
  }
  const won = await readPlan(out);
  if (won) compare(out, won, plan);
}
