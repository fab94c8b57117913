/** Pieces of a shard that several processes make at once, one of which takes the folder away. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import {
  findPieces,
  PiecesGone,
  readPiece,
  removePieces,
  writePiece,
} from '../../packages/cli/src/extract/pieces.js';

let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-pieces-'));
});
afterAll(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

const bytes = Buffer.alloc(100, 7);
const write = (place: string, index: number): ReturnType<typeof writePiece> =>
  writePiece(place, index, `video ${index}`, bytes, {});

test('a folder that is taken away is noticed as that, and as nothing else', async () => {
  const place = path.join(folder, 'taken-away');
  const outcomes = { fine: 0, gone: 0 };
  const count = async (work: Promise<unknown>): Promise<void> => {
    try {
      await work;
      outcomes.fine++;
    } catch (error) {
      expect(error).toBeInstanceOf(PiecesGone);
      outcomes.gone++;
    }
  };
  for (let round = 0; round < 100; round++) {
    await Promise.all([
      ...[0, 1, 2].map((index) => count(write(place, index))),
      ...[count(removePieces(place)), count(findPieces(place))],
    ]);
  }
  expect(outcomes.fine + outcomes.gone).toBe(500);
  // Whoever has the folder to themselves finds what they write.
  await removePieces(place);
  const piece = await write(place, 4);
  expect([...(await findPieces(place)).values()]).toEqual([piece]);
  expect((await readPiece(piece))?.members).toEqual(bytes);
});

test('a folder that cannot be made is an error of the output', async () => {
  fs.writeFileSync(path.join(folder, 'file'), '');
  const place = path.join(folder, 'file', 'shard-000000');
  await expect(findPieces(place)).rejects.toThrow(/^Could not write .*shard-000000: ENOTDIR\. /);
  await expect(write(place, 0)).rejects.toThrow(/^Could not write .*shard-000000: ENOTDIR\. /);
});
