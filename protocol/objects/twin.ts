/** Twin and Action, stile.dev/v1alpha1: `protocol/twin/README.md`. */
import { objectMeta } from './meta.ts';
import { json, struct, words } from './object-schema.ts';

const twinDesired = struct('TwinDesired', { version: json, metadata: json });
const twinFloor = struct('TwinFloor', { version: json, value: json, metadata: json });

export const twin = struct('Twin', {
  metadata: objectMeta,
  spec: struct('TwinSpec', { desired: json, managed: json, nodeName: json }),
  status: struct('TwinStatus', { desired: twinDesired, applied: json, floor: twinFloor }),
});

const actionSpec = struct('ActionSpec', {
  twin: json,
  name: json,
  input: json,
  expiresTime: json,
  nodeEpoch: json,
  nodeName: json,
});
const actionStatus = struct('ActionStatus', {
  phase: words('Pending', 'Running', 'Completed', 'Failed', 'Expired', 'Unknown'),
  output: json,
  error: json,
  startTime: json,
  completionTime: json,
});

export const action = struct('Action', { metadata: objectMeta, spec: actionSpec, status: actionStatus });
