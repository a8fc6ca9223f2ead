/** What the API says of itself: version, health, discovery and OpenAPI. Made once, or when it is first asked for. */
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
import { type OpenApiDocument, openApiDocuments, openApiIndex, versionPath } from './openapi.ts';
import { type Answer, type ApiParts, json } from './parts.ts';
import type { Route } from './route.ts';
import { noSuchPath } from './status.ts';

export type DocumentRoute = Exclude<Route, { type: 'resource' | 'unknown' }>;

export class Documents {
  readonly #parts: Pick<ApiParts, 'kinds' | 'version'>;
  readonly #groups: Group[];
  #openApi: Map<string, OpenApiDocument> | undefined;

  constructor(parts: Pick<ApiParts, 'kinds' | 'version' | 'readOnly'>) {
    this.#parts = parts;
    this.#groups = groupsOf(parts.kinds.kinds, parts.readOnly === true);
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
      case 'openapi-index':
        return json(200, openApiIndex(this.#openApiDocuments()));
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
    const document = served(this.#openApiDocuments().get(versionPath({ group, version })));
    const headers = { 'content-type': 'application/json', etag: `"${document.hash}"` };
    return { type: 'text', code: 200, body: document.text, headers };
  }

  #openApiDocuments(): Map<string, OpenApiDocument> {
    this.#openApi ??= openApiDocuments(this.#parts.kinds, 'Stile');
    return this.#openApi;
  }
}

function served<T>(document: T | undefined): T {
  if (document === undefined) throw noSuchPath();
  return document;
}
