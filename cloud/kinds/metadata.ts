/**
 * What every object's metadata must be: names, labels, annotations, finalizers, owners.
 * Source: kubernetes.io "Object Names and IDs", "Labels and Selectors", "Annotations".
 */
import type { KubeObject, LabelSelector, Labels, OwnerReference } from '../../protocol/kubernetes.ts';
import { duplicate, type FieldFault, invalid, required, unsupported } from '../../protocol/resources/kinds/faults.ts';
import { isDnsLabel, keyFaults, labelValueFaults, type NameRule } from '../../protocol/resources/kinds/names.ts';

/** All keys and values of one object's annotations, in bytes. */
const ANNOTATIONS_BYTES_MAX = 256 * 1024;

/** Faults of `metadata`, for a new object as for a changed one. */
export function metadataFaults(object: KubeObject, namespaced: boolean, nameRule: NameRule): FieldFault[] {
  const { metadata } = object;
  const faults: FieldFault[] = [];
  if (metadata.name) {
    const wrong = nameRule(metadata.name);
    if (wrong) faults.push(invalid('metadata.name', metadata.name, wrong));
  } else if (metadata.generateName) {
    const wrong = nameRule(`${metadata.generateName}x`);
    if (wrong) faults.push(invalid('metadata.generateName', metadata.generateName, wrong));
  } else faults.push(required('metadata.name', 'name or generateName is required'));
  if (namespaced) {
    const wrong = metadata.namespace ? isDnsLabel(metadata.namespace) : undefined;
    if (!metadata.namespace) faults.push(required('metadata.namespace', 'this kind lives in a namespace'));
    else if (wrong) faults.push(invalid('metadata.namespace', metadata.namespace, wrong));
  } else if (metadata.namespace)
    faults.push(invalid('metadata.namespace', metadata.namespace, 'this kind lives in no namespace'));
  return [
    ...faults,
    ...labelFaults(metadata.labels, 'metadata.labels'),
    ...annotationFaults(metadata.annotations, 'metadata.annotations'),
    ...(metadata.finalizers ?? []).flatMap((finalizer, index) => keyFaults(finalizer, `metadata.finalizers[${index}]`)),
    ...ownerFaults(metadata.ownerReferences ?? []),
  ];
}

/** Faults of a map of labels, e.g. of a pod template. */
export function labelFaults(labels: Labels | undefined, field: string): FieldFault[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...keyFaults(key, field),
    ...labelValueFaults(value, field),
  ]);
}

export function annotationFaults(annotations: Record<string, string> | undefined, field: string): FieldFault[] {
  const entries = Object.entries(annotations ?? {});
  const bytes = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  const faults = entries.flatMap(([key]) => keyFaults(key.toLowerCase(), field));
  if (bytes > ANNOTATIONS_BYTES_MAX)
    faults.push(invalid(field, `${bytes} bytes`, `may not be more than ${ANNOTATIONS_BYTES_MAX} bytes`));
  return faults;
}

/** Faults of a label selector of an object's spec. */
export function selectorFaults(selector: LabelSelector | undefined, field: string): FieldFault[] {
  const faults = labelFaults(selector?.matchLabels, `${field}.matchLabels`);
  for (const [index, term] of (selector?.matchExpressions ?? []).entries()) {
    const path = `${field}.matchExpressions[${index}]`;
    faults.push(...keyFaults(term.key, `${path}.key`));
    const valueCount = term.values?.length ?? 0;
    if (term.operator === 'In' || term.operator === 'NotIn') {
      if (valueCount === 0) faults.push(required(`${path}.values`, `must be given with ${term.operator}`));
    } else if (term.operator === 'Exists' || term.operator === 'DoesNotExist') {
      if (valueCount > 0) faults.push(invalid(`${path}.values`, term.values, `may not be given with ${term.operator}`));
    } else faults.push(unsupported(`${path}.operator`, term.operator, ['In', 'NotIn', 'Exists', 'DoesNotExist']));
    faults.push(...(term.values ?? []).flatMap((value) => labelValueFaults(value, `${path}.values`)));
  }
  return faults;
}

function ownerFaults(owners: OwnerReference[]): FieldFault[] {
  const faults: FieldFault[] = [];
  for (const [index, owner] of owners.entries())
    for (const member of ['apiVersion', 'kind', 'name', 'uid'] as const)
      if (!owner[member]) faults.push(required(`metadata.ownerReferences[${index}].${member}`, 'must not be empty'));
  if (owners.filter((owner) => owner.controller).length > 1)
    faults.push(duplicate('metadata.ownerReferences', 'controller', 'only one owner can be the controller'));
  return faults;
}
