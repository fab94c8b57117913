/** Finds the native addon: a prebuilt platform package, or the build next to the sources. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { NativeBinding } from './contract.js';
import { CodecPatchStreamError, fromNativeError } from '../support/errors.js';
import { howToBuild, whyNotLoaded } from './load-failure.js';
import { permitted } from '../support/paths.js';

const PACKAGE = 'codec-patch-stream';
const ADDON = join('build', 'Release', 'codec_patch_stream.node');

/**
 * The folder of this package's package.json: two up from dist/src, one up from src. Undefined where
 * there is none: this file was bundled into another program.
 */
export function packageRoot(from: string = __dirname): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest)) {
      const { name } = JSON.parse(readFileSync(manifest, 'utf8')) as { name?: string };
      if (name === PACKAGE) return folder;
    }
    if (folder === dirname(folder)) return undefined;
  }
}

function platformPackage(): string | undefined {
  try {
    return require.resolve(`@${PACKAGE}/${process.platform}-${process.arch}`);
  } catch {
    return undefined; // Not published for this platform, or built from source on purpose.
  }
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
  const local = root && join(root, ADDON);
  // A build of one's own wins: it is what a developer has just compiled.
  if (local && existsSync(local)) return { file: local, root };
  const file = platformPackage();
  if (file !== undefined) return { file, root };
  if (!permitted('fs.read', local ?? __dirname)) {
    throw unavailable(
      `The native addon of ${PACKAGE} may not be read: Node runs with --permission. Start it with ` +
        `--allow-addons and --allow-fs-read=${root ?? `the folder of node_modules/${PACKAGE}`}`,
    );
  }
  if (!root || !local) {
    throw unavailable(
      `The native addon cannot be found from ${__dirname}, because ${PACKAGE} was bundled into ` +
        `this program and an addon cannot be. Name '${PACKAGE}' as external to the bundler ` +
        `(esbuild: --external:${PACKAGE}; rollup, vite, webpack: external(s); Next.js: ` +
        'serverExternalPackages), and install it where the program runs',
    );
  }
  throw unavailable(
    `The native addon is not built: ${local} does not exist. ${howToBuild(root, PACKAGE)}`,
  );
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
