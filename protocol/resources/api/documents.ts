/** What the API says of itself: version, health, discovery and OpenAPI. Made when first asked for, and again for other kinds. */
import type { ResourceKind } from '../kinds/resource-kind.ts';
import {
  aggregatedDiscovery,
  coreVersions,
  type Group,
  groupDocument,
  groupList,
  groupsOf,
  resourceList,
} from './discovery.ts';
import { discoveryFormOf } from './negotiation.ts';
import { openApiV2 } from './openapi-v2.ts';
import { type Answer, type ApiParts, json, type OpenApiDocument } from './parts.ts';
import { type Route, versionPath } from './route.ts';
import { noSuchPath } from './status.ts';

export type DocumentRoute = Exclude<Route, { type: 'resource' | 'unknown' }>;

export class Documents<K extends ResourceKind> {
  readonly #parts: ApiParts<K>;
  /** What the documents below were made of: a table that changes hands out another list. */
  #kinds: readonly K[] | undefined;
  #groupsMade: Group[] = [];
  #openApi: ReadonlyMap<string, OpenApiDocument> | undefined;

  constructor(parts: ApiParts<K>) {
    this.#parts = parts;
  }

  get #groups(): Group[] {
    const { kinds } = this.#parts.kinds;
    if (kinds !== this.#kinds) {
      this.#kinds = kinds;
      this.#groupsMade = groupsOf(kinds, this.#parts.beyondReading);
      this.#openApi = undefined;
    }
    return this.#groupsMade;
  }

  /** Refuses with NotFound for a group or version that is not served. */
  answer(route: DocumentRoute, accept: string | undefined): Answer {
    switch (route.type) {
      case 'version':
        return json(200, this.#parts.version);
      case 'probe':
        return { type: 'text', code: 200, body: 'ok' };
      case 'core':
      case 'groups':
        return this.#discovery(accept, route.type === 'core');
      case 'group':
        return json(200, served(groupDocument(this.#groups, route.group)));
      case 'resources':
        return json(200, served(resourceList(this.#groups, route.group, route.version)));
      case 'openapi-v2':
        served(this.#parts.openApi);
        return openApiV2('Kubernetes', this.#parts.version.gitVersion);
      case 'openapi-index':
        return json(200, openApiIndex(served(this.#openApiDocuments())));
      case 'openapi':
        return this.#openApiDocument(route.group, route.version);
    }
  }

  #discovery(accept: string | undefined, core: boolean): Answer {
    const form = discoveryFormOf(accept);
    if (form === undefined) return json(200, core ? coreVersions(this.#groups) : groupList(this.#groups));
    return {
      type: 'json',
      code: 200,
      body: aggregatedDiscovery(this.#groups, form, core),
      headers: {
        'content-type': `application/json;g=apidiscovery.k8s.io;v=${form};as=APIGroupDiscoveryList`,
        vary: 'Accept',
      },
    };
  }

  #openApiDocument(group: string, version: string): Answer {
    const document = served(this.#openApiDocuments()?.get(versionPath({ group, version })));
    const headers = { 'content-type': 'application/json', etag: `"${document.hash}"` };
    return { type: 'text', code: 200, body: document.text, headers };
  }

  #openApiDocuments(): ReadonlyMap<string, OpenApiDocument> | undefined {
    if (this.#groups.length > 0) this.#openApi ??= this.#parts.openApi?.();
    return this.#openApi;
  }
}

function served<T>(document: T | undefined): T {
  if (document === undefined) throw noSuchPath();
  return document;
}

/** `/openapi/v3` */
export function openApiIndex(documents: ReadonlyMap<string, OpenApiDocument>): object {
  const paths = [...documents.values()].map(({ path, hash }): [string, object] => [
    path,
    { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` },
  ]);
  return { paths: Object.fromEntries(paths) };
}
