/**
 * `/api`, `/apis`, `/version`: the Kubernetes read API over the view. The handlers are those of the hub; here is who
 * may read what.
 *
 *   kubernetes: all, the owner         everything
 *   kubernetes: all, an app            everything but Secrets
 *   kubernetes: namespace              the same of its own namespace; a list over all namespaces shows that one
 *   kubernetes: none                   nothing
 */
import type { Env } from '../../protocol/env.ts';
import { programVersion } from '../../protocol/program-version.ts';
import type { ApiRequest, Decision, Identity } from '../../protocol/resources/api/identity.ts';
import type { HostBounds, VersionInfo } from '../../protocol/resources/api/parts.ts';
import { createRestApi } from '../../protocol/resources/api/rest-api.ts';
import type { ResourceReader } from '../../protocol/resources/store/resource-reader.ts';
import type { LocalHandler } from './exchange.ts';
import type { Principal } from './principals.ts';
import { kindByPlural, secretKind, viewKinds } from './view-kinds.ts';

const roots: ReadonlySet<string> = new Set(['api', 'apis', 'openapi', 'version']);

/** A terminal is smaller than a hub. */
const bounds: HostBounds = {
  requestsMax: 64,
  requestsPerUserMax: 64,
  watchesPerUserMax: 48,
  requestMs: 60_000,
  watchBufferBytesMax: 1024 * 1024,
};

const version: VersionInfo = { major: '1', minor: '32', gitVersion: `v1.32.0-stile.${programVersion}` };

/** Watches end when the signal of their exchange aborts. */
export function kubernetesEndpoint(env: Env, store: ResourceReader): LocalHandler {
  const log = env.log.child({ svc: 'kubernetes-api' });
  const api = createRestApi(
    { ...env, log },
    {
      store,
      kinds: { kinds: viewKinds, kindByPlural },
      authorize,
      visible: (identity, kind, namespace) =>
        !kind.namespaced || scopeOf(identity) === 'all' || namespace === namespaceOf(identity),
      audit: ({ user, verb, resource, code }) => log.info('write refused', { user, verb, resource, code }),
      version,
      bounds,
    },
  );
  return async ({ request, response, path, principal, signal }) => {
    if (!roots.has(path[0] ?? '')) return false;
    await api.handle(request, response, new Caller(principal), signal);
    return true;
  };
}

/** A caller of the local API in the words of Kubernetes. */
class Caller implements Identity {
  readonly user: string;
  readonly groups: readonly string[] = [];
  readonly principal: Principal;

  constructor(principal: Principal) {
    this.user = principal.name;
    this.principal = principal;
  }
}

/** Writes are let through to be told that nothing is written here. */
function authorize({ identity, resource }: ApiRequest): Decision {
  const scope = scopeOf(identity);
  if (scope === 'none') return refused('the annotation stile.dev/kubernetes of its pod does not let it');
  if (resource === undefined) return { allowed: true };
  const isSecret = resource.group === secretKind.group && resource.plural === secretKind.plural;
  if (isSecret && namespaceOf(identity) !== undefined)
    return refused('an app gets its Secrets by its pod, as variables or files');
  if (scope === 'all') return { allowed: true };
  const kind = kindByPlural(resource.group, resource.version, resource.plural);
  const isOwn = resource.namespace === undefined || resource.namespace === namespaceOf(identity);
  if (isOwn && kind?.namespaced !== false) return { allowed: true };
  return refused('it may read its own namespace only: annotate its pod with stile.dev/kubernetes: all');
}

function refused(reason: string): Decision {
  return { allowed: false, reason };
}

function scopeOf(identity: Identity | undefined): Principal['rights']['kubernetes'] {
  // A ticket is for one twin, whoever holds it.
  if (!(identity instanceof Caller) || identity.principal.ticketFor !== undefined) return 'none';
  return identity.principal.rights.kubernetes;
}

/** Of an app; the owner has none. */
function namespaceOf(identity: Identity | undefined): string | undefined {
  return identity instanceof Caller ? identity.principal.namespace : undefined;
}
