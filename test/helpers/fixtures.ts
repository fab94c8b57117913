/** Test clips made by scripts/fixtures.mjs (test/fixtures/recipes.mjs says how). */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';

export const repoRoot = path.resolve(__dirname, '../..');
export const fixtureDir = path.join(repoRoot, 'test', 'fixtures', 'cache');

/** One clip of the manifest; everything but name and features is what ffprobe says. */
export interface Fixture {
  name: string;
  features: string[];
  codec: string;
  format: string;
  pixFmt: string;
  /** Coded size, before rotation. */
  width: number;
  height: number;
  /** Degrees counter-clockwise, as ffprobe reports the display matrix. */
  rotation: number;
  /** Frames that the ffmpeg CLI decodes. */
  frames: number;
  streamIndex: number;
}

export interface BadFixture {
  name: string;
  features: string[];
}

interface Manifest {
  clips: Fixture[];
  bad: BadFixture[];
}

let manifest: Manifest | undefined;

function load(): Manifest {
  if (!manifest) {
    // A no-op of a fraction of a second when everything is there; `npm test` has made them.
    if (process.env['CPS_FIXTURES'] !== fixtureDir) {
      execFileSync(process.execPath, [path.join(repoRoot, 'scripts', 'fixtures.mjs')], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
    }
    const text = fs.readFileSync(path.join(fixtureDir, 'manifest.json'), 'utf8');
    manifest = JSON.parse(text) as Manifest;
  }
  return manifest;
}

/** Every clip that has all the given features, e.g. fixtures('h264', 'ts'). */
export function fixtures(...features: string[]): Fixture[] {
  return load().clips.filter((clip) => features.every((f) => clip.features.includes(f)));
}

/** Files that must be refused; those with feature 'partly' may give what is still readable. */
export function badFixtures(...features: string[]): BadFixture[] {
  return load().bad.filter((file) => features.every((f) => file.features.includes(f)));
}

export function fixture(name: string): Fixture {
  const found = load().clips.find((clip) => clip.name === name);
  if (!found)
    throw new Error(`Expected a fixture of test/fixtures/recipes.mjs but received ${name}`);
  return found;
}

/** Absolute path of a clip or bad file. */
export function fixturePath(name: string): string {
  load();
  return path.join(fixtureDir, name);
}
