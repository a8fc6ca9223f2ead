/**
 * What the rules of roles allow (kubernetes.io, "Using RBAC authorization"; upstream's registry/rbac/validation). Rules
 * only ever add: nothing takes away what another allows. Pure.
 */
import type { ApiRequest, Identity } from '../../protocol/resources/api/identity.ts';
import type { PolicyRule } from '../kinds/role.ts';
import type { RoleSubject } from '../kinds/role-binding.ts';

const ALL = '*';
/** Everybody who has shown a certificate of this hub. */
export const authenticatedGroup = 'system:authenticated';
/** Single permissions into which the rules of one role may fall; more cannot be compared with what a writer holds. */
const GRANTS_MAX = 20_000;

export function ruleAllows(rule: PolicyRule, { verb, path, resource }: Omit<ApiRequest, 'identity'>): boolean {
  if (!names(rule.verbs, verb)) return false;
  if (resource === undefined) return (rule.nonResourceURLs ?? []).some((pattern) => pathMatches(pattern, path));
  return (
    names(rule.apiGroups, resource.group) &&
    namesResource(rule.resources ?? [], partOf(resource)) &&
    namesObject(rule.resourceNames ?? [], resource.name)
  );
}

/** Whether a binding in `bindingNamespace` (undefined: of the cluster) that names `subject` means this caller. */
export function isSubject(subject: RoleSubject, identity: Identity, bindingNamespace?: string): boolean {
  switch (subject.kind) {
    case 'User':
      return subject.name === identity.user;
    case 'Group':
      return subject.name === authenticatedGroup || identity.groups.includes(subject.name);
    case 'ServiceAccount': {
      const namespace = subject.namespace || bindingNamespace;
      return Boolean(namespace) && identity.user === `system:serviceaccount:${namespace}:${subject.name}`;
    }
    default:
      return false;
  }
}

/**
 * The single permissions of `wanted` that none of `held` gives by itself, so that nobody hands on what it does not
 * hold. Undefined when `wanted` falls into more than `GRANTS_MAX` of them.
 */
export function missingGrants(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] | undefined {
  const counts = wanted.map(grantCountOf);
  if (counts.reduce((sum, count) => sum + count, 0) > GRANTS_MAX) return undefined;
  return wanted.flatMap(grantsOf).filter((grant) => !held.some((rule) => covers(rule, grant)));
}

/** A rule of one verb on one thing as upstream writes it in a refusal. */
export function ruleText(rule: PolicyRule): string {
  const members: [string, string[] | undefined][] = [
    ['APIGroups', rule.apiGroups],
    ['Resources', rule.resources],
    ['ResourceNames', rule.resourceNames],
    ['NonResourceURLs', rule.nonResourceURLs],
    ['Verbs', rule.verbs],
  ];
  const told = members.filter(([, values]) => values !== undefined && values.length > 0);
  return `{${told.map(([name, values]) => `${name}:${JSON.stringify(values)}`).join(', ')}}`;
}

function names(list: readonly string[] | undefined, value: string): boolean {
  return list !== undefined && (list.includes(ALL) || list.includes(value));
}

/** `part` is `pods` or `pods/log`; `*` names parts too, a plain `pods` does not name its parts. */
function namesResource(list: readonly string[], part: string): boolean {
  if (names(list, part)) return true;
  const slash = part.indexOf('/');
  return slash >= 0 && list.includes(ALL + part.slice(slash));
}

/** A list, a watch and a creation have no name, so a rule with names never allows them. */
function namesObject(list: readonly string[], name: string | undefined): boolean {
  return list.length === 0 || (name !== undefined && list.includes(name));
}

function pathMatches(pattern: string, path: string): boolean {
  return pattern === path || (pattern.endsWith(ALL) && path.startsWith(pattern.slice(0, -1)));
}

function partOf({ plural, subresource }: NonNullable<ApiRequest['resource']>): string {
  return subresource === undefined ? plural : `${plural}/${subresource}`;
}

/** Whether `rule` gives all of `grant`, which is of one verb and one thing. */
function covers(rule: PolicyRule, grant: PolicyRule): boolean {
  if (!grant.verbs.every((verb) => names(rule.verbs, verb))) return false;
  const [path] = grant.nonResourceURLs ?? [];
  if (path !== undefined) return (rule.nonResourceURLs ?? []).some((pattern) => pathMatches(pattern, path));
  return (
    grant.apiGroups!.every((group) => names(rule.apiGroups, group)) &&
    grant.resources!.every((part) => namesResource(rule.resources ?? [], part)) &&
    // One that is for every name is only given by one that is, too.
    namesObject(rule.resourceNames ?? [], grant.resourceNames?.[0])
  );
}

function grantCountOf({ verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] }: PolicyRule) {
  return (
    verbs.length * (nonResourceURLs.length + apiGroups.length * resources.length * Math.max(resourceNames.length, 1))
  );
}

function grantsOf(rule: PolicyRule): PolicyRule[] {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const objects = resourceNames.length === 0 ? [{}] : resourceNames.map((name) => ({ resourceNames: [name] }));
  const things = [
    ...nonResourceURLs.map((path) => ({ nonResourceURLs: [path] })),
    ...apiGroups.flatMap((group) =>
      resources.flatMap((part) => objects.map((named) => ({ apiGroups: [group], resources: [part], ...named }))),
    ),
  ];
  return things.flatMap((thing) => verbs.map((verb) => ({ ...thing, verbs: [verb] })));
}
