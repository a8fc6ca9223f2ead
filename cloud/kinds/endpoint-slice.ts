/** EndpointSlice discovery.k8s.io/v1. */
import { isIPv4, isIPv6 } from 'node:net';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import type { ResourceRow } from '../../protocol/resources/kinds/define-resource.ts';
import { endpointSliceRow } from '../../protocol/resources/kinds/endpoint-slice.ts';
import {
  duplicate,
  type FieldFault,
  immutable,
  invalid,
  oneOf,
  required,
} from '../../protocol/resources/kinds/faults.ts';
import { isDnsLabel, isDnsSubdomain } from '../../protocol/resources/kinds/names.ts';
import { defineKind } from './define-kind.ts';
import { fill, within } from './fill.ts';

interface Endpoint {
  addresses?: string[];
  hostname?: string;
}

interface SlicePort {
  name?: string;
  port?: number;
  protocol?: string;
}

interface EndpointSlice extends KubeObject {
  addressType?: string;
  endpoints?: Endpoint[];
  ports?: SlicePort[];
}

const ENDPOINTS_MAX = 1_000;
const ADDRESSES_MAX = 100;
/** Port numbers of one slice. */
const PORTS_MAX = 20_000;
const PORT_MAX = 65_535;

const fitsType: Readonly<Record<string, (address: string) => boolean>> = {
  IPv4: isIPv4,
  IPv6: isIPv6,
  FQDN: (address) => isDnsSubdomain(address) === undefined,
};

export const endpointSliceKind = defineKind<EndpointSlice>({
  ...(endpointSliceRow as unknown as ResourceRow<EndpointSlice>),
  schema: 'io.k8s.api.discovery.v1.EndpointSlice',
  defaults: (slice) =>
    within(slice, 'ports', (ports) => ports.map((port) => fill(port, { name: '', protocol: 'TCP' }))),
  validate: (next, previous) => [
    ...oneOf('addressType', next.addressType, Object.keys(fitsType)),
    ...(previous ? immutable('addressType', next.addressType, previous.addressType) : []),
    ...endpointsFaults(next),
    ...portsFaults(next.ports ?? []),
  ],
});

function endpointsFaults({ addressType = '', endpoints = [] }: EndpointSlice): FieldFault[] {
  if (endpoints.length > ENDPOINTS_MAX) return [tooMany('endpoints', endpoints.length, ENDPOINTS_MAX)];
  return endpoints.flatMap(({ addresses = [], hostname }, index) => {
    const field = `endpoints[${index}]`;
    const wrong = hostname ? isDnsLabel(hostname) : undefined;
    const faults = wrong ? [invalid(`${field}.hostname`, hostname, wrong)] : [];
    if (addresses.length === 0) faults.push(required(`${field}.addresses`, 'must contain at least 1 address'));
    if (addresses.length > ADDRESSES_MAX)
      return [...faults, tooMany(`${field}.addresses`, addresses.length, ADDRESSES_MAX)];
    const fits = fitsType[addressType];
    for (const [at, address] of addresses.entries())
      if (fits && !fits(address))
        faults.push(invalid(`${field}.addresses[${at}]`, address, `must be an address of type ${addressType}`));
    return faults;
  });
}

function portsFaults(ports: SlicePort[]): FieldFault[] {
  if (ports.length > PORTS_MAX) return [tooMany('ports', ports.length, PORTS_MAX)];
  const names = new Set<string>();
  return ports.flatMap(({ name = '', port, protocol }, index) => {
    const field = `ports[${index}]`;
    const faults = oneOf(`${field}.protocol`, protocol, ['TCP', 'UDP', 'SCTP']);
    const wrong = name ? isDnsLabel(name) : undefined;
    if (wrong) faults.push(invalid(`${field}.name`, name, wrong));
    if (names.has(name)) faults.push(duplicate(`${field}.name`, name));
    names.add(name);
    if (port !== undefined && (port < 1 || port > PORT_MAX))
      faults.push(invalid(`${field}.port`, port, `must be between 1 and ${PORT_MAX}`));
    return faults;
  });
}

function tooMany(field: string, count: number, max: number): FieldFault {
  return invalid(field, count, `must have at most ${max} items`);
}
