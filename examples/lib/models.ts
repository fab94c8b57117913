/** Where the tiny models are: beside the examples, or beside those that the build is of. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export function modelPath(name: string): string {
  const places = [join(__dirname, '../models'), join(__dirname, '../../../examples/models')];
  const folder = places.find((place) => existsSync(place));
  if (folder === undefined) throw new Error('The folder examples/models is missing');
  return join(folder, `${name}.onnx`);
}
