#!/usr/bin/env node
// `stile-runtime`, the process on the terminal. See runtime/main.ts.
import { runOnPinnedEngine } from '../../protocol/node/pinned-engine.mjs';

await runOnPinnedEngine({
  root: new URL('../../', import.meta.url),
  launcher: new URL(import.meta.url),
  main: new URL('../main.ts', import.meta.url),
});
