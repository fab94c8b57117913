import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import fc from 'fast-check';
import { CodecPatchStreamError, decodeOnly, patchStream } from '../../src/index.js';
import { native } from '../../src/native/binding.js';
import { OPTIONS } from '../../src/options/schema.js';
import type { RecordName } from '../../src/options/kinds.js';
import { parseDecodeOnly, parsePatchStream } from '../../src/options/records.js';
import { fixturePath } from '../helpers/fixtures.js';

// The corpus of broken videos runs natively (test/native/reliability/hostile); here is what only the public
// function can get wrong: paths and options.
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-hostile-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
const VIDEO = fixturePath('small.mp4');
const at = (name: string): string => path.join(folder, name);

async function refused(videoPath: string): Promise<CodecPatchStreamError> {
  const started = performance.now();
  const error = await patchStream({ videoPath, backend: 'cpu' }).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(CodecPatchStreamError);
  expect(performance.now() - started).toBeLessThan(2000);
  expect((error as Error).message).toContain(videoPath);
  return error as CodecPatchStreamError;
}

describe('paths', () => {
  test('directories, pipes, devices, loops, missing files', async () => {
    fs.mkdirSync(at('folder.mp4'));
    execFileSync('mkfifo', [at('pipe.mp4')]);
    fs.symlinkSync('b.mp4', at('a.mp4'));
    fs.symlinkSync('a.mp4', at('b.mp4'));
    fs.symlinkSync('gone.mp4', at('dangling.mp4'));
    fs.symlinkSync('/dev/zero', at('zero.mp4'));
    fs.writeFileSync(at('empty.mp4'), '');
    const codes = {
      'folder.mp4': 'ERR_CPS_INVALID_ARGUMENT',
      'pipe.mp4': 'ERR_CPS_INVALID_ARGUMENT',
      'a.mp4': 'ERR_CPS_INVALID_ARGUMENT',
      'zero.mp4': 'ERR_CPS_INVALID_ARGUMENT',
      'dangling.mp4': 'ERR_CPS_NOT_FOUND',
      'none.mp4': 'ERR_CPS_NOT_FOUND',
      'empty.mp4': 'ERR_CPS_NO_VIDEO',
    };
    for (const [name, code] of Object.entries(codes)) {
      expect([name, (await refused(at(name))).code]).toEqual([name, code]);
    }
  });

  test.each([
    'http://127.0.0.1/a.mp4',
    'rtsp://x/y',
    'concat:a|b',
    'data:video/mp4;base64,AA',
    'pipe:0',
    'subfile,,start,0,end,9,,:x.mp4',
    '%d.jpg',
  ])('%s is never opened as more than the name of a file', async (videoPath) => {
    expect(['ERR_CPS_INVALID_ARGUMENT', 'ERR_CPS_NOT_FOUND']).toContain(
      (await refused(videoPath)).code,
    );
  });

  test('odd names are names', async () => {
    const odd = [
      'with space.mp4',
      'ä-視頻.mp4',
      'img%04d.mp4',
      '%s%n.mp4',
      '-i.mp4',
      'http:x.mp4',
      'a*b?.mp4',
      'concat:a|b.mp4',
      'line\nbreak.mp4',
      '#hash?.mp4',
    ];
    for (const name of odd) {
      fs.copyFileSync(VIDEO, at(name));
      const frames = await decodeOnly({ videoPath: at(name), backend: 'cpu', sequenceLength: 1 });
      expect(frames.width).toBe(48);
      frames.close();
    }
  });
});

describe('options', () => {
  const junk = fc.oneof(
    fc.anything(),
    fc.integer(),
    fc.double(),
    fc.string(),
    fc.constantFrom('auto', 'cpu', 'block', 'nchw', -0, 2 ** 31, 2 ** 53, NaN, Infinity, 1n, null),
  );
  const names = [...Object.keys(OPTIONS), 'unknown', '__proto__', 'constructor', 'toString'];
  const config = fc.dictionary(fc.constantFrom(...names), junk, { maxKeys: 6 });

  // Either a complete, frozen record or an error that names the option; never anything else.
  test('any object parses to a record or to ERR_CPS_INVALID_ARGUMENT', () => {
    fc.assert(
      fc.property(config, fc.boolean(), (given, withPath) => {
        const all = withPath ? { videoPath: VIDEO, ...given } : given;
        for (const parse of [parsePatchStream, parseDecodeOnly]) {
          try {
            const { records } = parse(all as never);
            expect(Object.isFrozen(records)).toBe(true);
            for (const [name, record] of Object.entries(records as Record<string, object>)) {
              const fields = native().recordFields[name as RecordName];
              expect(Object.isFrozen(record)).toBe(true);
              expect(Object.keys(record).sort()).toEqual([...fields].sort());
              expect(Object.values(record)).not.toContain(undefined);
            }
          } catch (error) {
            if (!(error instanceof CodecPatchStreamError)) throw error;
            expect(error.code).toBe('ERR_CPS_INVALID_ARGUMENT');
            expect(error.message).toMatch(/^Expected .* for .* but received/s);
          }
        }
      }),
      { numRuns: 3000 },
    );
  });

  // What options.ts lets through or not: the addon itself must survive any record.
  test('the addon refuses any record with a field missing or of another type', async () => {
    const { records } = parsePatchStream({
      videoPath: VIDEO,
      backend: 'cpu',
      sequenceLength: 2,
      kKeep: 8,
    });
    const all: [string, object][] = Object.entries(records as Record<string, object>);
    const fields = all.flatMap(([name, record]) => [name, ...Object.keys(record)]);
    const wrong = fc.oneof(
      fc.constantFrom(
        undefined,
        null,
        true,
        'x',
        '',
        NaN,
        Infinity,
        -Infinity,
        0.5,
        2 ** 60,
        {},
        [],
      ),
      fc.string(),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...fields), wrong, async (field, value) => {
        // Some are names of folders, where indexes would be kept.
        const inFolder = field === 'readerCacheDir' && typeof value === 'string' && value !== '';
        const set = inFolder ? path.join(folder, 'indexes', value) : value;
        const broken = all.map(([name, record]) => {
          if (name === field) return [name, set];
          return [name, field in record ? { ...record, [field]: set } : record];
        });
        const outcome = await Promise.resolve()
          .then(() =>
            native().patchStream(
              VIDEO,
              Object.fromEntries(broken) as never,
              native().createCancel(),
            ),
          )
          .then(
            (result) =>
              [result.patches, result.fields, result.scores, result.frameScores].forEach((b) =>
                b.release(),
              ),
            (error: unknown) => error as { code?: string; message: string },
          );
        if (outcome) {
          expect(outcome.code).toMatch(/^ERR_CPS_/);
          expect(outcome.message).not.toBe('');
        }
      }),
      { numRuns: 400 },
    );
  });

  test('arguments of other kinds altogether', () => {
    const binding = native() as unknown as Record<string, (...args: unknown[]) => unknown>;
    for (const args of [
      [],
      [1],
      [VIDEO],
      [VIDEO, {}],
      [VIDEO, {}, {}],
      [null, null, null],
      [{}, [], 'x'],
    ]) {
      expect(() => binding.patchStream?.(...args)).toThrow();
      expect(() => binding.decodeOnly?.(...args)).toThrow();
    }
  });
});
