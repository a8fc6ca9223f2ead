/** Who asks, for what, and the port that decides whether they may. */

/** The caller as the listener authenticated it; `undefined` is an anonymous one. */
export interface Identity {
  user: string;
  groups: readonly string[];
}

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

/** What is asked, in the words of Kubernetes' RBAC. */
export interface ApiRequest {
  identity: Identity | undefined;
  /** A resource verb, or the lower-case HTTP method for a path that is no resource. */
  verb: string;
  /** The path without its query. */
  path: string;
  /** Absent for a path that is no resource, such as `/version`. */
  resource?: {
    group: string;
    version: string;
    plural: string;
    subresource?: string;
    namespace?: string;
    name?: string;
  };
}

/** The reason may be empty: that nothing allows it is said by the refusal itself. */
export type Decision = { allowed: true } | { allowed: false; reason: string };

export type Authorize = (request: ApiRequest) => Decision | Promise<Decision>;

/** The name that a Status and an audit record give the caller. */
export function userOf(identity: Identity | undefined): string {
  return identity?.user ?? 'system:anonymous';
}
