/**
 * Twin and Action, stile.dev/v1alpha1. The hub counts the versions of desired itself, in the write that changes it:
 * `settle`. What a twin may hold is `protocol/twin/section.ts`.
 */
import { AppError } from '../../protocol/errors.ts';
import type { Action, Json, KubeObject, Twin } from '../../protocol/kubernetes.ts';
import { type FieldFault, immutable, invalid, required } from '../../protocol/resources/kinds/faults.ts';
import { actionRow, twinRow } from '../../protocol/resources/kinds/twin.ts';
import { desiredChanged } from '../../protocol/twin/hub-twin.ts';
import { checkedSection } from '../../protocol/twin/section.ts';
import { defineKind } from './define-kind.ts';

/** Nobody waits longer for an action, and no terminal begins an older one. */
export const ACTION_LIFE_MS_MAX = 24 * 3_600_000;

export const twinKind = defineKind<Twin>({
  ...twinRow,
  builtin: false,
  schema: 'dev.stile.v1alpha1.Twin',
  defaults: (twin) => ({ ...twin, spec: { ...twin.spec, desired: twin.spec.desired ?? {} } }),
  validate: (twin, previous) => [
    ...(twin.spec.nodeName === '' ? [required('spec.nodeName', 'the node that holds the twin')] : []),
    ...(previous === undefined ? [] : immutable('spec.nodeName', twin.spec.nodeName, previous.spec.nodeName)),
    ...sectionFaults(twin.spec.desired, 'spec.desired'),
    ...sectionFaults(twin.spec.tags ?? {}, 'spec.tags'),
  ],
  settle: (twin, previous, nowMs) => desiredChanged(previous, twin, nowMs),
});

export const actionKind = defineKind<Action>({
  ...actionRow,
  builtin: false,
  schema: 'dev.stile.v1alpha1.Action',
  validate: (action, previous) => [
    ...(['twin', 'nodeName', 'name'] as const).flatMap((member) =>
      action.spec[member] === '' ? [required(`spec.${member}`, 'what is to be done, and where')] : [],
    ),
    ...(Number.isNaN(Date.parse(action.spec.expiresTime))
      ? [invalid('spec.expiresTime', action.spec.expiresTime, 'must be a time as in RFC 3339')]
      : []),
    ...(previous === undefined
      ? []
      : immutable('spec', action.spec as unknown as Json, previous.spec as unknown as Json)),
  ],
});

function sectionFaults(value: KubeObject['spec'], field: string): FieldFault[] {
  try {
    checkedSection(value as Json, field);
    return [];
  } catch (error) {
    const { message, details } = error as AppError;
    if (!(error instanceof AppError)) throw error;
    const path = typeof details.path === 'string' ? details.path : field;
    return [{ field: path, reason: 'FieldValueInvalid', message }];
  }
}
