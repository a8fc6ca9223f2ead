/** All that is cut. */
import type { Scenario } from '../scenario.ts';
import { hubBackup } from './hub-backup.ts';
import { hubFiles } from './hub-files.ts';
import { hubRecords } from './hub-records.ts';
import { migrations } from './migration.ts';
import { runtimeIdentity } from './runtime-identity.ts';
import { runtimeImages } from './runtime-images.ts';
import { runtimeRecords } from './runtime-records.ts';
import { runtimeRecovery } from './runtime-recovery.ts';
import { runtimeTwins } from './runtime-twins.ts';

export const scenarios: readonly Scenario[] = [
  runtimeRecords,
  runtimeIdentity,
  runtimeImages,
  runtimeRecovery,
  runtimeTwins,
  hubRecords,
  hubFiles,
  hubBackup,
  ...migrations,
];

/** Throws for a name that nothing has. */
export function scenarioOf(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found === undefined)
    throw new Error(`no scenario is called ${name}: ${scenarios.map((each) => each.name).join(', ')}`);
  return found;
}
