/**
 * Objects from YAML or JSON text. Scalars are read as kubectl reads them (YAML 1.1 booleans and octal numbers, so that
 * `defaultMode: 0644` means the same here and there), without YAML 1.1's dates, base-60 numbers and binary values,
 * which kubectl does not know either. Source: sigs.k8s.io/yaml.
 */
import { type Document, LineCounter, parseAllDocuments, type Tags } from 'yaml';
import { AppError } from '../../protocol/errors.ts';
import type { KubeObject } from '../../protocol/kubernetes.ts';

export interface ManifestText {
  /** How messages name it: a path, or `stdin`. */
  source: string;
  text: string;
}

export interface Manifest {
  object: KubeObject;
  /** `FILE:LINE` of its document. */
  origin: string;
}

/** All objects of all texts in their order, lists taken apart. `E_INPUT_INVALID` names file and line. */
export function parseManifests(texts: readonly ManifestText[]): Manifest[] {
  const manifests = texts.flatMap(parseText);
  if (manifests.length === 0)
    throw new AppError('E_INPUT_INVALID', `no object in ${texts.map((text) => text.source).join(', ')}`);
  return manifests;
}

/** Namespaces before what lives in them; otherwise the order as it was. */
export function inOrderOfCreation(manifests: readonly Manifest[]): Manifest[] {
  const isNamespace = ({ object }: Manifest) => object.kind === 'Namespace' && object.apiVersion === 'v1';
  return [...manifests.filter(isNamespace), ...manifests.filter((manifest) => !isNamespace(manifest))];
}

function parseText({ source, text }: ManifestText): Manifest[] {
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments(text, { version: '1.1', customTags: kubernetesTags, lineCounter });
  return [...documents].flatMap((document) => {
    const fault = document.errors[0];
    if (fault !== undefined) {
      const { line, col } = lineCounter.linePos(fault.pos[0]);
      // The first line of the message is the sentence; the rest draws the place.
      const reason = fault.message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, '');
      throw new AppError('E_INPUT_INVALID', `${source}:${line}:${col}: this is not valid YAML: ${reason}`);
    }
    const offset = document.contents?.range?.[0] ?? document.range[0];
    return objectsOf(toPlain(document, source), `${source}:${lineCounter.linePos(offset).line}`);
  });
}

function toPlain(document: Document.Parsed, source: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AppError('E_INPUT_INVALID', `${source}: this is not valid YAML: ${reason}`, { cause: error });
  }
}

function objectsOf(value: unknown, origin: string): Manifest[] {
  if (value === null || value === undefined) return [];
  if (typeof value !== 'object' || Array.isArray(value))
    throw invalid(origin, 'a manifest is a map with apiVersion, kind and metadata');
  const object = value as Record<string, unknown>;
  for (const field of ['apiVersion', 'kind'])
    if (typeof object[field] !== 'string' || object[field] === '') throw invalid(origin, `${field} is missing`);
  if (Array.isArray(object.items) && String(object.kind).endsWith('List'))
    return object.items.flatMap((item: unknown) => objectsOf(item, origin));
  const metadata = object.metadata as { name?: unknown } | null | undefined;
  if (typeof metadata !== 'object' || metadata === null || typeof metadata.name !== 'string' || metadata.name === '')
    throw invalid(origin, `the ${object.kind} has no metadata.name`);
  return [{ object: object as KubeObject, origin }];
}

function invalid(origin: string, reason: string): AppError {
  return new AppError('E_INPUT_INVALID', `${origin}: ${reason}`);
}

const foreignTags = ['timestamp', 'binary', 'omap', 'pairs', 'set'].map((name) => `tag:yaml.org,2002:${name}`);

function kubernetesTags(tags: Tags): Tags {
  return tags.filter(
    (tag) => typeof tag === 'string' || !('tag' in tag) || !(foreignTags.includes(tag.tag) || tag.format === 'TIME'),
  );
}
