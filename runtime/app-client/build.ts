/** The client as one plain module, to be copied into an app's image: what `npm run app-client` makes. */
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export async function buildAppClient(outfile: string): Promise<void> {
  await build({
    entryPoints: [fileURLToPath(new URL('stile-app.ts', import.meta.url))],
    outfile,
    format: 'esm',
    platform: 'node',
    target: 'node18',
    bundle: true,
  });
}

if (import.meta.main) {
  const outfile = fileURLToPath(new URL('../../dist/app-client/stile-app.mjs', import.meta.url));
  await buildAppClient(outfile);
  process.stderr.write(`${outfile}\n`);
}
