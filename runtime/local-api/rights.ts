/**
 * What an app may do on the terminal, as its pod's annotations say. Pure.
 *
 *   stile.dev/twins: "self=get,reported; default.*=get,desired,invoke"     default: *=get
 *   stile.dev/events: append | none                                        default: append
 *   stile.dev/kubernetes: none | namespace | all                           default: namespace
 *
 * A pattern is `self` (the node's own twin), `*`, an id, or a beginning that ends in `.*`; verbs are `get`, `reported`
 * and `desired` (writing that section), `invoke`, and `*`. An annotation that cannot be read grants nothing.
 */

export const twinVerbs = ['get', 'reported', 'desired', 'invoke'] as const;
export type TwinVerb = (typeof twinVerbs)[number];
export type KubernetesScope = 'none' | 'namespace' | 'all';

export interface Rights {
  twins: readonly TwinRule[];
  events: boolean;
  kubernetes: KubernetesScope;
}

export interface TwinRule {
  pattern: string;
  verbs: ReadonlySet<TwinVerb>;
}

export const annotations = {
  twins: 'stile.dev/twins',
  events: 'stile.dev/events',
  kubernetes: 'stile.dev/kubernetes',
} as const;

/** Rules that one annotation may hold. */
const RULES_MAX = 64;
const everyVerb: ReadonlySet<TwinVerb> = new Set(twinVerbs);

/** Who owns the data directory may do all that the local API offers. */
export const ownerRights: Rights = { twins: [{ pattern: '*', verbs: everyVerb }], events: true, kubernetes: 'all' };

/** `faults`: one sentence for each annotation that cannot be read. */
export function rightsOf(given: Readonly<Record<string, string>> | undefined): { rights: Rights; faults: string[] } {
  const faults: string[] = [];
  const read = <T>(key: string, otherwise: T, refused: T, parse: (text: string) => T | undefined): T => {
    const text = given?.[key];
    if (text === undefined) return otherwise;
    const value = parse(text);
    if (value === undefined) faults.push(`annotation ${key} grants nothing: ${JSON.stringify(text)} cannot be read`);
    return value ?? refused;
  };
  const rights: Rights = {
    twins: read(annotations.twins, [{ pattern: '*', verbs: new Set<TwinVerb>(['get']) }], [], parseTwinRules),
    events: read(annotations.events, true, false, parseEvents),
    kubernetes: read<KubernetesScope>(annotations.kubernetes, 'namespace', 'none', parseKubernetesScope),
  };
  return { rights, faults };
}

/** `nodeName`: the id of the node's own twin, which `self` means. */
export function mayTwin(rights: Rights, nodeName: string, id: string, verb: TwinVerb): boolean {
  return rights.twins.some(({ pattern, verbs }) => verbs.has(verb) && matches(pattern, nodeName, id));
}

function matches(pattern: string, nodeName: string, id: string): boolean {
  if (pattern === 'self') return id === nodeName;
  if (pattern === '*') return true;
  return pattern.endsWith('.*') ? id.startsWith(pattern.slice(0, -1)) : id === pattern;
}

function parseTwinRules(text: string): TwinRule[] | undefined {
  const parts = text
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (parts.length > RULES_MAX) return undefined;
  const rules = parts.map(parseTwinRule);
  return rules.every((rule) => rule !== undefined) ? rules : undefined;
}

function parseTwinRule(text: string): TwinRule | undefined {
  const [, pattern, list] = /^(\*|[a-z0-9.-]{1,251}(?:\.\*)?)\s*=\s*([a-z*,\s]+)$/.exec(text) ?? [];
  if (pattern === undefined || list === undefined) return undefined;
  const verbs = list.split(',').map((verb) => verb.trim());
  if (verbs.includes('*')) return { pattern, verbs: everyVerb };
  return verbs.every(isTwinVerb) ? { pattern, verbs: new Set(verbs) } : undefined;
}

function isTwinVerb(text: string): text is TwinVerb {
  return (twinVerbs as readonly string[]).includes(text);
}

function parseEvents(text: string): boolean | undefined {
  const word = text.trim();
  return word === 'append' ? true : word === 'none' ? false : undefined;
}

function parseKubernetesScope(text: string): KubernetesScope | undefined {
  const scope = text.trim();
  return scope === 'none' || scope === 'namespace' || scope === 'all' ? scope : undefined;
}
