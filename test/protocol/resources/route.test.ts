import { describe, expect, it } from 'vitest';
import { discoveryFormOf, viewOf } from '../../../protocol/resources/api/negotiation.ts';
import { type Route, routeOf, verbOf } from '../../../protocol/resources/api/route.ts';

const core = { group: '', version: 'v1' };
const apps = { group: 'apps', version: 'v1' };

const routes: [path: string, route: Route][] = [
  ['/version', { type: 'version' }],
  ['/readyz', { type: 'probe', probe: 'readyz' }],
  ['/api', { type: 'core' }],
  ['/api/', { type: 'core' }],
  ['/apis', { type: 'groups' }],
  ['/apis/apps', { type: 'group', group: 'apps' }],
  ['/api/v1', { type: 'resources', ...core }],
  ['/apis/apps/v1', { type: 'resources', ...apps }],
  ['/openapi/v3', { type: 'openapi-index' }],
  ['/openapi/v3/api/v1', { type: 'openapi', ...core }],
  ['/openapi/v3/apis/apps/v1', { type: 'openapi', ...apps }],
  ['/openapi/v2', { type: 'openapi-v2' }],
  ['/openapi/v2/api/v1', { type: 'unknown' }],
  ['/api/v1/nodes', { type: 'resource', path: { ...core, plural: 'nodes' } }],
  ['/api/v1/nodes/n', { type: 'resource', path: { ...core, plural: 'nodes', name: 'n' } }],
  [
    '/api/v1/nodes/n/status',
    { type: 'resource', path: { ...core, plural: 'nodes', name: 'n', subresource: 'status' } },
  ],
  ['/api/v1/namespaces', { type: 'resource', path: { ...core, plural: 'namespaces' } }],
  ['/api/v1/namespaces/a', { type: 'resource', path: { ...core, plural: 'namespaces', name: 'a' } }],
  [
    '/api/v1/namespaces/a/status',
    { type: 'resource', path: { ...core, plural: 'namespaces', name: 'a', subresource: 'status' } },
  ],
  ['/api/v1/namespaces/a/pods', { type: 'resource', path: { ...core, plural: 'pods', namespace: 'a' } }],
  [
    '/apis/apps/v1/namespaces/a/deployments/d/scale',
    { type: 'resource', path: { ...apps, plural: 'deployments', namespace: 'a', name: 'd', subresource: 'scale' } },
  ],
  ['/api/v1/namespaces/a/pods/p/log/more', { type: 'unknown' }],
  ['/api/v1//pods', { type: 'unknown' }],
  ['/api/v1/pods/%E0%A4%A', { type: 'unknown' }],
  ['/', { type: 'unknown' }],
  ['/elsewhere', { type: 'unknown' }],
];

describe('a path', () => {
  it.each(routes)('%s leads to %j', (path, route) => {
    expect(routeOf(path)).toEqual(route);
  });

  it('has the verb of its method, its name and the watch parameter', () => {
    const collection = { ...core, plural: 'pods' };
    const one = { ...collection, name: 'p' };
    const none = new URLSearchParams();
    expect(verbOf('GET', collection, none)).toBe('list');
    expect(verbOf('GET', collection, new URLSearchParams('watch=true'))).toBe('watch');
    expect(verbOf('GET', collection, new URLSearchParams('watch=0'))).toBe('list');
    expect(verbOf('GET', one, none)).toBe('get');
    expect(verbOf('DELETE', one, none)).toBe('delete');
    expect(verbOf('DELETE', collection, none)).toBe('deletecollection');
    expect(verbOf('TRACE', one, none)).toBeUndefined();
  });
});

describe('the Accept header', () => {
  const table = (version: string) => `application/json;as=Table;v=${version};g=meta.k8s.io`;

  it('chooses the first form that is understood', () => {
    expect(viewOf(`${table('v1')},${table('v1beta1')},application/json`)).toEqual({ as: 'table', version: 'v1' });
    expect(viewOf(`${table('v1beta1')},application/json`)).toEqual({ as: 'table', version: 'v1beta1' });
    expect(viewOf(`${table('v9')},application/json`)).toEqual({ as: 'object' });
    expect(viewOf('application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1')).toEqual({
      as: 'metadata',
      version: 'v1',
    });
    expect(viewOf('application/vnd.kubernetes.protobuf,application/json')).toEqual({ as: 'object' });
    expect(viewOf(undefined)).toEqual({ as: 'object' });
    expect(viewOf('*/*')).toEqual({ as: 'object' });
  });

  it('follows the quality that the client gives', () => {
    expect(viewOf(`application/json;q=0.5,${table('v1')}`)).toEqual({ as: 'table', version: 'v1' });
  });

  it('is refused when it takes nothing that we have', () => {
    expect(() => viewOf('application/vnd.kubernetes.protobuf')).toThrow(/application\/json/);
  });

  it('asks for aggregated discovery by version, and for the plain one otherwise', () => {
    const aggregated = (version: string) =>
      `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
    expect(discoveryFormOf(`${aggregated('v2')},${aggregated('v2beta1')},application/json`)).toBe('v2');
    expect(discoveryFormOf(`${aggregated('v2beta1')},application/json`)).toBe('v2beta1');
    expect(discoveryFormOf('application/json')).toBeUndefined();
  });
});
