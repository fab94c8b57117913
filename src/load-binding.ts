/** Finds the native addon: a prebuilt platform package, or the build next to the sources. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { NativeBinding } from './binding.js';
import { CodecPatchStreamError } from './errors.js';

const PACKAGE = 'codec-patch-stream';
const ADDON = join('build', 'Release', 'codec_patch_stream.node');

/** The folder of this package's package.json: two up from dist/src, one up from src. */
export function packageRoot(from: string = __dirname): string {
  for (let folder = from; ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest)) {
      const { name } = JSON.parse(readFileSync(manifest, 'utf8')) as { name?: string };
      if (name === PACKAGE) return folder;
    }
    if (folder === dirname(folder)) return dirname(from);
  }
}

function platformPackage(): string | undefined {
  try {
    return require.resolve(`@${PACKAGE}/${process.platform}-${process.arch}`);
  } catch {
    return undefined; // Not published for this platform, or built from source on purpose.
  }
}

/** What the install script does; package managers increasingly leave it out until it is allowed. */
const howToBuild = (root: string): string =>
  existsSync(join(root, '.git'))
    ? 'Build it for this machine: npm run build'
    : `Build it for this machine: node ${join(root, 'scripts', 'install.mjs')}`;

export function loadBinding(): NativeBinding {
  const root = packageRoot();
  const local = join(root, ADDON);
  // A build of one's own wins: it is what a developer has just compiled.
  const file = existsSync(local) ? local : platformPackage();
  if (file === undefined) {
    throw new CodecPatchStreamError(
      'ERR_CPS_BACKEND_UNAVAILABLE',
      'load',
      `The native addon is not built: ${local} does not exist. ${howToBuild(root)}`,
    );
  }
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- .node files load by require
    return require(file) as NativeBinding;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CodecPatchStreamError(
      'ERR_CPS_BACKEND_UNAVAILABLE',
      'load',
      `The native addon ${file} does not load: ${reason}. ${howToBuild(root)}`,
      { cause },
    );
  }
}
