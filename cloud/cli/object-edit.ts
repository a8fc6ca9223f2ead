/** An object as text for a person to change, and the patch of what was changed in it. Pure. */
import { AppError } from '../../protocol/errors.ts';
import type { Json, KubeObject } from '../../protocol/kubernetes.ts';
import { mergePatch } from '../../protocol/merge-patch.ts';
import { parseManifests } from './manifest.ts';
import { yamlText } from './print.ts';
import { withoutControls } from './table.ts';
import { threeWayPatch } from './three-way-patch.ts';

export interface EditPatch {
  metadata: { resourceVersion?: string; [field: string]: unknown };
  [field: string]: unknown;
}

/** YAML without what the server alone writes: the status and who manages which field. */
export function editableText(object: KubeObject): string {
  return yamlText(editable(object));
}

/** The text below a head of comments: how to go on and, after a refusal, what the server said. */
export function withHead(text: string, refusal: AppError | undefined): string {
  return `${[...howTo, ...(refusal === undefined ? [] : reasonLines(refusal)), ''].map((line) => `# ${line}`.trimEnd()).join('\n')}\n${text}`;
}

/** Without the comments at its beginning; others are the person's own. */
export function withoutHead(text: string): string {
  return text.replace(/^(?:#.*(?:\r?\n|$)|\s*\r?\n)*/, '');
}

/**
 * What a person changed in the text of `base`, as a JSON merge patch that holds only for the revision that was
 * edited; undefined when nothing was. `E_INPUT_INVALID` for text that is not that object any more.
 */
export function patchOfEdit(base: KubeObject, text: string): EditPatch | undefined {
  const edited = onlyObject(text);
  // Compared with what its own text reads as, so that nothing that YAML writes otherwise looks like a change.
  const original = onlyObject(editableText(base));
  for (const [field, one, other] of [
    ['apiVersion', edited.apiVersion, original.apiVersion],
    ['kind', edited.kind, original.kind],
    ['metadata.name', edited.metadata.name, original.metadata.name],
    ['metadata.namespace', edited.metadata.namespace, original.metadata.namespace],
  ])
    if (one !== other)
      throw new AppError('E_INPUT_INVALID', `${field} cannot be changed, it was ${other ?? 'not set'}`);
  const patch = threeWayPatch('merge', original, edited, original);
  if (patch === undefined) return undefined;
  const { resourceVersion } = base.metadata;
  const metadata = { ...(patch.metadata as object), ...(resourceVersion === undefined ? {} : { resourceVersion }) };
  return { ...patch, metadata };
}

/** The edit made again on an object that somebody changed meanwhile. */
export function rebasedText(patch: EditPatch, fresh: KubeObject): string {
  const { resourceVersion: _, ...metadata } = patch.metadata;
  return yamlText(mergePatch(editable(fresh) as unknown as Json, { ...patch, metadata } as Json));
}

const howTo = [
  'Change the object below, save it and leave the editor. Lines at the top that begin with # are ignored;',
  'leaving the text as it is, or empty, changes nothing.',
];

function reasonLines(refusal: AppError): string[] {
  const reason = refusal.message.split(/[\r\n]+/).map(withoutControls);
  if (refusal.code !== 'E_CONFLICT') return ['', 'It was not saved:', ...reason];
  return [
    '',
    'It was not saved, because somebody changed the object meanwhile:',
    ...reason,
    'Below are your changes on top of what it is now. Remove this line to send them.',
  ];
}

function editable(object: KubeObject): KubeObject {
  const { status: _status, ...rest } = object as KubeObject & { status?: unknown };
  const { managedFields: _managedFields, ...metadata } = rest.metadata as KubeObject['metadata'] & {
    managedFields?: unknown;
  };
  return { ...rest, metadata } as KubeObject;
}

function onlyObject(text: string): KubeObject {
  const manifests = parseManifests([{ source: 'the text', text }]);
  if (manifests.length !== 1) throw new AppError('E_INPUT_INVALID', 'the text holds several objects instead of one');
  return manifests[0]!.object;
}
