/**
 * The environment of a container: where its values come from and in which order they win.
 * Source: kubernetes.io API reference, Container.env, .envFrom, .command, .args.
 */
import { AppError } from '../../protocol/errors.ts';
import type { Container, EnvVar, Pod } from '../../protocol/kubernetes.ts';
import type { DesiredPod, PodPlace } from './ports.ts';

/**
 * `base` (image and defaults of the node), then `envFrom`, then `env`, then `reserved`; later ones win. `$(NAME)` in a
 * value of `env` is expanded from what stands before it, reserved names included.
 * Errors: `E_POD_INVALID` for a ConfigMap, Secret or key that is missing and not optional.
 */
export function containerEnvironment(
  desired: DesiredPod,
  container: Container,
  place: PodPlace,
  base: Record<string, string>,
  reserved: Record<string, string>,
): Record<string, string> {
  const environment: Record<string, string> = { ...base, ...reserved };
  for (const source of container.envFrom ?? []) {
    const from = source.configMapRef
      ? { key: `ConfigMap/${source.configMapRef.name}`, optional: source.configMapRef.optional }
      : { key: `Secret/${source.secretRef?.name ?? ''}`, optional: source.secretRef?.optional };
    for (const [name, value] of filesOf(desired, from.key, from.optional) ?? []) {
      const full = `${source.prefix ?? ''}${name}`;
      if (isEnvironmentName(full)) environment[full] = textOf(value);
    }
  }
  for (const variable of container.env ?? []) {
    if (!isEnvironmentName(variable.name)) throw invalid(`"${variable.name}" is no name of an environment variable`);
    const value = variableValue(desired, variable, place, { ...environment, ...reserved });
    if (value !== undefined) environment[variable.name] = value;
  }
  return { ...environment, ...reserved };
}

/** `$(NAME)` from `environment`; an unknown name stays as it is written, `$$(NAME)` gives `$(NAME)`. */
export function expandReferences(text: string, environment: Record<string, string>): string {
  return text.replace(/\$(\$|\(([^)]*)\))/g, (all, rest: string, name: string | undefined) => {
    if (rest === '$') return '$';
    return name !== undefined && Object.hasOwn(environment, name) ? environment[name]! : all;
  });
}

/** The value at a `fieldPath` of the downward API, or undefined when it is none of those that exist. */
export function fieldValue(pod: Pod, place: PodPlace | undefined, fieldPath: string): string | undefined {
  const { metadata, spec } = pod;
  const subscript = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(fieldPath);
  if (subscript) return metadata[subscript[1] as 'labels' | 'annotations']?.[subscript[2]!] ?? '';
  const fields: Record<string, () => string | undefined> = {
    'metadata.name': () => metadata.name,
    'metadata.namespace': () => metadata.namespace ?? 'default',
    'metadata.uid': () => metadata.uid ?? '',
    'metadata.labels': () => listing(metadata.labels),
    'metadata.annotations': () => listing(metadata.annotations),
    'spec.nodeName': () => place?.nodeName,
    'spec.serviceAccountName': () => String(spec.serviceAccountName ?? 'default'),
    'status.podIP': () => place?.podIP,
    'status.podIPs': () => place?.podIP,
    'status.hostIP': () => place?.hostIP,
    'status.hostIPs': () => place?.hostIP,
  };
  return Object.hasOwn(fields, fieldPath) ? fields[fieldPath]!() : undefined;
}

/** Entries of a ConfigMap or Secret (`KIND/NAME`); undefined when it is missing and may be. */
export function filesOf(desired: DesiredPod, key: string, optional: boolean | undefined) {
  const found = desired.files.get(key);
  if (found === undefined && optional !== true) {
    throw invalid(`${key.replace('/', ' ')} is not there; create it in namespace ${namespaceOf(desired.pod)}`);
  }
  return found;
}

export function invalid(message: string): AppError {
  return new AppError('E_POD_INVALID', message);
}

function variableValue(
  desired: DesiredPod,
  variable: EnvVar,
  place: PodPlace,
  environment: Record<string, string>,
): string | undefined {
  const { name, value, valueFrom } = variable;
  if (valueFrom === undefined) return expandReferences(value ?? '', environment);
  if (valueFrom.configMapKeyRef) return keyValue(desired, 'ConfigMap', valueFrom.configMapKeyRef);
  if (valueFrom.secretKeyRef) return keyValue(desired, 'Secret', valueFrom.secretKeyRef);
  const fieldPath = valueFrom.fieldRef?.fieldPath ?? '';
  const found = fieldValue(desired.pod, place, fieldPath);
  if (found === undefined) throw invalid(`environment variable ${name}: this node cannot tell "${fieldPath}"`);
  return found;
}

function keyValue(
  desired: DesiredPod,
  kind: 'ConfigMap' | 'Secret',
  reference: { name: string; key: string; optional?: boolean },
): string | undefined {
  const entries = filesOf(desired, `${kind}/${reference.name}`, reference.optional);
  const value = entries?.get(reference.key);
  if (value !== undefined) return textOf(value);
  if (reference.optional === true) return undefined;
  throw invalid(`${kind} ${reference.name} has no key ${reference.key}`);
}

/** A value with a zero byte cannot be in an environment. */
function textOf(value: Uint8Array): string {
  const text = Buffer.from(value).toString('utf8');
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

function isEnvironmentName(name: string): boolean {
  return name !== '' && !/[=\0]/.test(name);
}

function listing(map: Record<string, string> | undefined): string {
  const lines = Object.entries(map ?? {}).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return lines.sort().join('\n');
}

function namespaceOf(pod: Pod): string {
  return pod.metadata.namespace ?? 'default';
}
