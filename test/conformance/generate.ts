/**
 * Writes the vector files and the tables of the wire document: `node test/conformance/generate.ts`. Run it when the
 * protocol was changed on purpose, and read the difference: it is what other implementations have to follow.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { vectorFiles } from './vectors.ts';
import { withWireTables } from './wire-document.ts';

const documentFile = new URL('../../protocol/README.md', import.meta.url);
writeFileSync(documentFile, withWireTables(readFileSync(documentFile, 'utf8')));

for (const [name, make] of Object.entries(vectorFiles)) {
  const file = new URL(`./vectors/${name}.json`, import.meta.url);
  writeFileSync(file, `${JSON.stringify(make(), undefined, 1)}\n`);
}
