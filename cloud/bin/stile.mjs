#!/usr/bin/env node
// `stile`, the operator's command line and the hub. See cloud/cli/main.ts.
import { runOnPinnedEngine } from '../../protocol/node/pinned-engine.mjs';

await runOnPinnedEngine({
  root: new URL('../../', import.meta.url),
  launcher: new URL(import.meta.url),
  main: new URL('../cli/main.ts', import.meta.url),
});
