/** Paths at the moment of a call: absolute, as Node's fs would take them, and allowed. */
import { fileURLToPath } from 'node:url';
import * as path from 'node:path';
import { CodecPatchStreamError, messageOf } from './errors.js';

/**
 * `given` from the root on. Work may start later, when the process is in another folder. Nothing is
 * folded as path.resolve does it: 'link/../v.mp4' and 'v.mp4/' mean to the system what they say.
 */
export function absolutePath(name: string, given: string): string {
  if (path.isAbsolute(given)) return given;
  let folder: string;
  try {
    folder = process.cwd();
  } catch (cause) {
    throw new CodecPatchStreamError(
      'ERR_CPS_NOT_FOUND',
      'open',
      `The relative path '${given}' of ${name} leads nowhere: the working directory is gone ` +
        `(${messageOf(cause)}). Pass an absolute path.`,
      { cause },
    );
  }
  return path.join(folder, '/') + given;
}

/** URL objects of any realm: a vm context has a class of its own. */
export const isUrl = (value: unknown): value is URL =>
  value instanceof URL ||
  (Object.prototype.toString.call(value) === '[object URL]' &&
    typeof (value as { href?: unknown }).href === 'string');

/** The path of a file: URL; undefined with a reason where fs would not take it either. */
export function pathOfUrl(url: string): { path: string } | { cause: unknown } {
  try {
    const found = fileURLToPath(url);
    // '%00' is a NUL, at which the system would end the name.
    if (found.includes('\0')) throw new TypeError('the path must not contain null bytes');
    return { path: found };
  } catch (cause) {
    return { cause };
  }
}

type Access = 'fs.read' | 'fs.write';
interface Permission {
  has(scope: Access, reference: string): boolean;
}

/**
 * What Node's permission model (--permission) says about `file` now; true without it. Native code
 * is outside of that model, so the package asks itself.
 */
export function permitted(access: Access, file: string): boolean {
  const { permission } = process as { permission?: Permission };
  return permission?.has(access, file) ?? true;
}
