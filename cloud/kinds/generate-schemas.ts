/**
 * Writes `schemas.gen.ts`: the structure of Kubernetes' own kinds, out of the models that `@kubernetes/client-node`
 * generates from upstream's OpenAPI document. Run by hand after that package changes:
 *
 *   node cloud/kinds/generate-schemas.ts
 *
 * The package is heavy, so the hub reads the committed result; a test says when it is out of date.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as clientNode from '@kubernetes/client-node';
import { annotated, intOrString, quantity, refTo, type Schema } from './schema.ts';

interface Attribute {
  baseName: string;
  type: string;
  format: string;
}

/** Models that begin a walk, with the kind that each is. */
const roots: Record<string, { group: string; version: string; kind: string } | undefined> = {
  V1Namespace: { group: '', version: 'v1', kind: 'Namespace' },
  V1Node: { group: '', version: 'v1', kind: 'Node' },
  V1Pod: { group: '', version: 'v1', kind: 'Pod' },
  V1ConfigMap: { group: '', version: 'v1', kind: 'ConfigMap' },
  V1Secret: { group: '', version: 'v1', kind: 'Secret' },
  CoreV1Event: { group: '', version: 'v1', kind: 'Event' },
  V1Lease: { group: 'coordination.k8s.io', version: 'v1', kind: 'Lease' },
  V1Deployment: { group: 'apps', version: 'v1', kind: 'Deployment' },
  V1ReplicaSet: { group: 'apps', version: 'v1', kind: 'ReplicaSet' },
  V1ControllerRevision: { group: 'apps', version: 'v1', kind: 'ControllerRevision' },
  V1Role: { group: 'rbac.authorization.k8s.io', version: 'v1', kind: 'Role' },
  V1RoleBinding: { group: 'rbac.authorization.k8s.io', version: 'v1', kind: 'RoleBinding' },
  V1ClusterRole: { group: 'rbac.authorization.k8s.io', version: 'v1', kind: 'ClusterRole' },
  V1ClusterRoleBinding: { group: 'rbac.authorization.k8s.io', version: 'v1', kind: 'ClusterRoleBinding' },
  V1StatefulSet: { group: 'apps', version: 'v1', kind: 'StatefulSet' },
  V1DaemonSet: { group: 'apps', version: 'v1', kind: 'DaemonSet' },
  V1Service: { group: '', version: 'v1', kind: 'Service' },
  V1ServiceAccount: { group: '', version: 'v1', kind: 'ServiceAccount' },
  V1EndpointSlice: { group: 'discovery.k8s.io', version: 'v1', kind: 'EndpointSlice' },
  V1RuntimeClass: { group: 'node.k8s.io', version: 'v1', kind: 'RuntimeClass' },
  V1CustomResourceDefinition: { group: 'apiextensions.k8s.io', version: 'v1', kind: 'CustomResourceDefinition' },
};

/** Amounts, which the models do not tell from text. */
const quantityMaps = /^(limits|requests|capacity|allocatable|allocatedResources|overhead|podFixed)$/;
const quantityTexts = /^(sizeLimit|divisor)$/;

/** Lists that merge by a key, by their name; a model's name before the dot where the name alone is not enough. */
const mergeKeys: Record<string, string> = {
  addresses: 'type',
  conditions: 'type',
  containers: 'name',
  env: 'name',
  ephemeralContainers: 'name',
  hostAliases: 'ip',
  imagePullSecrets: 'name',
  initContainers: 'name',
  ownerReferences: 'uid',
  podIPs: 'ip',
  hostIPs: 'ip',
  'V1Container.ports': 'containerPort',
  'V1EphemeralContainer.ports': 'containerPort',
  'V1PodSpec.resourceClaims': 'name',
  'V1ServiceAccount.secrets': 'name',
  'V1ServiceSpec.ports': 'port',
  schedulingGates: 'name',
  topologySpreadConstraints: 'topologyKey',
  volumeDevices: 'devicePath',
  volumeMounts: 'mountPath',
  volumes: 'name',
};
const mergedSets = new Set(['finalizers', 'podCIDRs']);
/** Where one of several alternatives is chosen, a patch keeps only the keys that it names. */
const retainKeys = new Set(['volumes', 'V1PodSpec.resourceClaims', 'V1DeploymentSpec.strategy']);

const metaModels = /^(ObjectMeta|ManagedFieldsEntry|OwnerReference|LabelSelector|LabelSelectorRequirement|Condition)$/;

const discoveryModels = /^(EndpointSlice|Endpoint|EndpointConditions|EndpointHints|EndpointPort|ForNode|ForZone)$/;
const nodeModels = /^(RuntimeClass|Overhead|Scheduling)$/;

const definitionModels =
  /^(CustomResource|JSONSchemaProps|ExternalDocumentation|ValidationRule|SelectableField|Webhook(Client|Conversion)|ServiceReference)/;

/** Members that the declarations ask for, but that a server lets be absent. */
const optional = new Set(['V1EndpointSlice.endpoints']);

const roleModels = /^((Cluster)?Role(Binding)?|PolicyRule|RoleRef|Subject|AggregationRule)$/;

/** The text of `schemas.gen.ts`. */
export function generateSchemas(): string {
  const found = new Map<string, Schema>();
  for (const [root, kind] of Object.entries(roots)) {
    visit(root, found);
    if (kind !== undefined)
      found.set(keyOf(root), { ...found.get(keyOf(root)), 'x-kubernetes-group-version-kind': [kind] });
  }
  const lines = [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, schema]) => `  ${JSON.stringify(key)}: ${JSON.stringify(schema)},\n`);
  return `/** Made by generate-schemas.ts; not edited by hand. */
import type { Schema } from './schema.ts';

export const generatedSchemas: Readonly<Record<string, Schema>> = {
${lines.join('')}};
`;
}

function visit(model: string, found: Map<string, Schema>): void {
  const key = keyOf(model);
  if (found.has(key)) return;
  // Entered first, for models that contain themselves.
  found.set(key, {});
  const required = requiredMembers(model);
  const properties = attributesOf(model).map((attribute) => {
    for (const reference of attribute.type.match(/\b(?:Apiextensions|Core|Rbac|Discovery)?V1\w+/g) ?? [])
      if (reference !== 'V1MicroTime') visit(reference, found);
    return [attribute.baseName, memberSchema(model, attribute)] as const;
  });
  found.set(key, {
    type: 'object',
    ...(required.length > 0 ? { required } : {}),
    properties: Object.fromEntries(properties),
  });
}

function memberSchema(model: string, { baseName, type, format }: Attribute): Schema {
  if (quantityMaps.test(baseName) && type.startsWith('{')) return { type: 'object', additionalProperties: quantity };
  if (quantityTexts.test(baseName) && type === 'string') return quantity;
  // A schema's default or enum is any JSON.
  if (model === 'V1JSONSchemaProps' && /\bany\b/.test(type))
    return type.startsWith('Array<') ? { type: 'array', items: {} } : type === 'any' ? {} : { type: 'object' };
  const own = `${model}.${baseName}`;
  const mergeKey = mergeKeys[own] ?? mergeKeys[baseName];
  const merges = type.startsWith('Array<') && (mergeKey !== undefined || mergedSets.has(baseName));
  const strategies = [
    ...(merges ? ['merge'] : []),
    ...(retainKeys.has(own) || retainKeys.has(baseName) ? ['retainKeys'] : []),
  ];
  return annotated(typeSchema(type, format), {
    ...(strategies.length > 0 ? { 'x-kubernetes-patch-strategy': strategies.join(',') } : {}),
    ...(merges && mergeKey !== undefined ? { 'x-kubernetes-patch-merge-key': mergeKey } : {}),
  });
}

function typeSchema(type: string, format: string): Schema {
  const item = /^Array<(.+)>$/.exec(type)?.[1];
  if (item !== undefined) return { type: 'array', items: typeSchema(item, format) };
  const value = /^\{ \[key: string\]: (.+); \}$/.exec(type)?.[1];
  if (value !== undefined) return { type: 'object', additionalProperties: typeSchema(value, format) };
  switch (type) {
    case 'string':
      return format === '' ? { type: 'string' } : { type: 'string', format };
    case 'boolean':
      return { type: 'boolean' };
    case 'number':
      return format.startsWith('int') ? { type: 'integer', format } : { type: 'number' };
    case 'Date':
    case 'V1MicroTime':
      return { type: 'string', format: 'date-time' };
    case 'IntOrString':
      return intOrString;
    case 'any':
      return { type: 'object' };
    default:
      return refTo(keyOf(type));
  }
}

/** `V1PodSpec` to `io.k8s.api.core.v1.PodSpec`. */
function keyOf(model: string): string {
  const name = model.replace(/^(Apiextensions|Core|Rbac|Discovery)?V1/, '');
  if (metaModels.test(name)) return `io.k8s.apimachinery.pkg.apis.meta.v1.${name}`;
  if (/^((RollingUpdate)?(Deployment|StatefulSet|DaemonSet)|ReplicaSet|ControllerRevision)/.test(name))
    return `io.k8s.api.apps.v1.${name}`;
  if (roleModels.test(name)) return `io.k8s.api.rbac.v1.${name}`;
  if (discoveryModels.test(name)) return `io.k8s.api.discovery.v1.${name}`;
  if (nodeModels.test(name)) return `io.k8s.api.node.v1.${name}`;
  if (definitionModels.test(name)) return `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.${name}`;
  if (name.startsWith('Lease')) return `io.k8s.api.coordination.v1.${name}`;
  return `io.k8s.api.core.v1.${name}`;
}

function attributesOf(model: string): Attribute[] {
  const models = clientNode as unknown as Record<string, { getAttributeTypeMap(): Attribute[] } | undefined>;
  const found = models[model];
  if (found === undefined) throw new Error(`client-node has no model ${model}`);
  return found.getAttributeTypeMap();
}

/** Only the declarations say which members must be there: theirs has no question mark. */
function requiredMembers(model: string): string[] {
  const library = dirname(fileURLToPath(import.meta.resolve('@kubernetes/client-node')));
  const declaration = readFileSync(join(library, 'gen', 'models', `${model}.d.ts`), 'utf8');
  return [...declaration.matchAll(/^ {4}'(\w+)': /gm)]
    .map((match) => match[1]!)
    .filter((member) => !optional.has(`${model}.${member}`));
}

if (import.meta.main) writeFileSync(new URL('schemas.gen.ts', import.meta.url), generateSchemas());
