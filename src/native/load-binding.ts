/** Finds the native addon: a build of one's own next to the sources, or the platform package. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { NativeBinding } from './contract.js';
import { CodecPatchStreamError, fromNativeError } from '../support/errors.js';
import { howToBuild, notThisSystem, whyNoAddon, whyNotLoaded } from './load-failure.js';
import { permitted } from '../support/paths.js';

const PACKAGE = 'codec-patch-stream';
const ADDON = join('build', 'Release', 'codec_patch_stream.node');
// Bundlers that make modules of this code leave no __dirname in it.
const HERE = typeof __dirname === 'string' ? __dirname : undefined;
/**
 * The addon once more, from dist/src/native on, as tools read it that follow paths without running them
 * (@vercel/nft, which Next.js uses for its standalone output).
 */
const TRACED =
  HERE && join(__dirname, '..', '..', '..', 'build', 'Release', 'codec_patch_stream.node');

/**
 * The folder of this package's package.json: two up from dist/src, one up from src. Undefined where
 * there is none: this file was bundled into another program.
 */
export function packageRoot(from: string | undefined = HERE): string | undefined {
  if (from === undefined) return undefined;
  for (let folder = from; ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest)) {
      const { name } = JSON.parse(readFileSync(manifest, 'utf8')) as { name?: string };
      if (name === PACKAGE) return folder;
    }
    if (folder === dirname(folder)) return undefined;
  }
}

/** Undefined where it is not installed. */
function ifInstalled(resolve: () => string): string | undefined {
  try {
    return resolve();
  } catch {
    return undefined;
  }
}

/** The names are written out for the same tools. With CUDA first: that one is installed by name. */
function platformPackage(): string | undefined {
  switch (`${process.platform}-${process.arch}`) {
    case 'linux-x64':
      return (
        ifInstalled(() => require.resolve('@codec-patch-stream/linux-x64-cuda')) ??
        ifInstalled(() => require.resolve('@codec-patch-stream/linux-x64'))
      );
    case 'linux-arm64':
      return ifInstalled(() => require.resolve('@codec-patch-stream/linux-arm64'));
  }
  return undefined;
}

const unavailable = (message: string, cause?: unknown): CodecPatchStreamError =>
  new CodecPatchStreamError(
    'ERR_CPS_BACKEND_UNAVAILABLE',
    'load',
    message,
    cause === undefined ? undefined : { cause },
  );

/** The addon's file; throws what is true where there is none. */
function findAddon(): { file: string; root: string | undefined } {
  const root = packageRoot();
  const local = root && (TRACED && existsSync(TRACED) ? TRACED : join(root, ADDON));
  // A build of one's own wins: it is what a developer has just compiled.
  if (local && existsSync(local)) return { file: local, root };
  const file = platformPackage();
  if (file !== undefined) return { file, root };
  if (!permitted('fs.read', local ?? HERE ?? '.')) {
    throw unavailable(
      `The native addon of ${PACKAGE} may not be read: Node runs with --permission. Start it with ` +
        `--allow-addons and --allow-fs-read=${root ?? `the folder of node_modules/${PACKAGE}`}`,
    );
  }
  const elsewhere = notThisSystem(PACKAGE);
  if (elsewhere !== undefined) throw unavailable(elsewhere);
  if (!root || !local) {
    throw unavailable(
      `${PACKAGE} was bundled into this program${HERE === undefined ? '' : ` (${HERE})`}, and a native ` +
        `addon cannot be: name '${PACKAGE}' as external to the bundler (esbuild: --external:${PACKAGE}; ` +
        'rollup, vite: external; webpack, ncc: externals; Next.js: serverExternalPackages) and ' +
        'install it where the program runs',
    );
  }
  throw unavailable(whyNoAddon(root, local, PACKAGE));
}

export function loadBinding(): NativeBinding {
  const { file, root } = findAddon();
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- .node files load by require
    return require(file) as NativeBinding;
  } catch (cause) {
    // The addon itself says what is wrong (a limit of the process, say) as its calls do.
    const own = fromNativeError(cause);
    if (own instanceof CodecPatchStreamError) throw own;
    const why = whyNotLoaded(cause, howToBuild(root, PACKAGE));
    throw unavailable(`The native addon ${file} does not load: ${why}`, cause);
  }
}
