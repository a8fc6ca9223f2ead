/** Every bench, in the order of the report. A new one is a file and a row here. */
import type { Bench } from './bench.ts';
import { accept } from './hub/accept.ts';
import { idleLink } from './hub/idle-link.ts';
import { listPods } from './hub/list-pods.ts';
import { memoryPerNode } from './hub/memory-per-node.ts';
import { acknowledgements, hubFanOut } from './hub/pool-change.ts';
import { reconnectStorm } from './hub/reconnect-storm.ts';
import { resume } from './hub/resume.ts';
import { tagChange } from './hub/tag-change.ts';
import { watchFanOut } from './hub/watch-fan-out.ts';
import { appRates } from './local-api/app-rates.ts';
import { fanOut } from './local-api/fan-out.ts';
import { offlineGate } from './local-api/offline-gate.ts';
import { twinCalls, twinCallsPlain } from './local-api/twin-calls.ts';
import { durableRows } from './terminal/durable-rows.ts';
import { idleWrites } from './terminal/idle-writes.ts';
import { memoryIdle, memoryWithLargeView, memoryWithPods } from './terminal/memory.ts';
import { offlineRestart } from './terminal/offline-restart.ts';
import { start } from './terminal/start.ts';
import { wireSizes } from './wire/wire-sizes.ts';
import { wireSpeed } from './wire/wire-speed.ts';

export const benches: readonly Bench[] = [
  memoryIdle,
  memoryWithPods,
  memoryWithLargeView,
  start,
  offlineRestart,
  durableRows,
  idleWrites,
  twinCalls,
  twinCallsPlain,
  appRates,
  fanOut,
  offlineGate,
  accept,
  resume,
  memoryPerNode,
  hubFanOut,
  acknowledgements,
  idleLink,
  reconnectStorm,
  wireSizes,
  wireSpeed,
  listPods,
  watchFanOut,
  tagChange,
];
