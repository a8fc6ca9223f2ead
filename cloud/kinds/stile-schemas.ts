/** OpenAPI schemas of Stile's own kinds, stile.dev/v1alpha1. */
import type { Schema } from './schema.ts';
import { anything, described, flag, kindSchema, listOf, long, members, record, text, time } from './schema-parts.ts';

const group = 'stile.dev';
const version = 'v1alpha1';

const section = record({
  version: described(long, 'Counted by its owner: desired by the hub, reported by the node.'),
  epoch: described(text, "Of the node's store that counted the version."),
  value: members,
  metadata: described(anything, 'Milliseconds since 1970 of the last change, by member.'),
});

const twinSpec = record(
  {
    nodeName: described(text, 'The node that holds the twin; cannot be changed.'),
    managed: described(flag, 'false: the node wins where both sides changed the same.'),
    desired: described(members, 'What shall be. Null cannot be held; arrays are one value.'),
    tags: described(members, 'For the hub alone; terminals do not see them.'),
  },
  ['nodeName'],
);

const twinStatus = record({
  desired: section,
  reported: described(section, 'What is, as the node told last.'),
  applied: described(long, 'Highest number of a write made on the node that was dealt with.'),
  floor: described(section, 'What a node that lost its store goes on from.'),
  conflicts: described(
    listOf(record({ path: text, winner: text, lost: anything, time })),
    'Writes made on the node that met another one here; the newest last.',
  ),
});

const actionSpec = record(
  {
    twin: described(text, 'The twin of the node or device that does it.'),
    nodeName: text,
    name: described(text, "A command of the device's profile."),
    input: anything,
    expiresTime: described(time, 'Not begun later; at most 24 hours away.'),
    nodeEpoch: described(text, 'Filled in: the store of the node that must know whether it was done.'),
  },
  ['twin', 'name'],
);

const actionStatus = record({
  phase: described(
    { ...text, enum: ['Pending', 'Running', 'Completed', 'Failed', 'Expired', 'Unknown'] },
    'Unknown: it was begun and its end was not seen; it is not tried again.',
  ),
  output: anything,
  error: record({ code: text, message: text }),
  startTime: time,
  completionTime: time,
});

export const stileSchemas: Readonly<Record<string, Schema>> = {
  'dev.stile.v1alpha1.Twin': kindSchema(
    ...([group, version, 'Twin', 'What a node or device shall be and is.'] as const),
    twinSpec,
    twinStatus,
  ),
  'dev.stile.v1alpha1.Action': kindSchema(
    ...([group, version, 'Action', 'One thing that a node or device is asked to do, at most once.'] as const),
    actionSpec,
    actionStatus,
  ),
};
