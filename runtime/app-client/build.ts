/** `npm run app-client`: the client as one plain module, dist/app-client/stile-app.mjs, to be copied into an app's image. */
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const outfile = fileURLToPath(new URL('../../dist/app-client/stile-app.mjs', import.meta.url));
await build({
  entryPoints: [fileURLToPath(new URL('stile-app.ts', import.meta.url))],
  outfile,
  format: 'esm',
  platform: 'node',
  target: 'node18',
  bundle: true,
});
process.stderr.write(`${outfile}\n`);
