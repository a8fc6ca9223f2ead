/** Service v1. The hub gives no virtual addresses yet, so a cluster IP is `None` or left out. */
import type { KubeObject, Labels } from '../../protocol/kubernetes.ts';
import type { ResourceRow } from '../../protocol/resources/kinds/define-resource.ts';
import {
  duplicate,
  type FieldFault,
  forbidden,
  invalid,
  oneOf,
  required,
} from '../../protocol/resources/kinds/faults.ts';
import { isDnsLabel, isDnsSubdomain, type NameRule } from '../../protocol/resources/kinds/names.ts';
import { serviceRow } from '../../protocol/resources/kinds/service.ts';
import { defineKind } from './define-kind.ts';
import { fill, within } from './fill.ts';
import { labelFaults } from './metadata.ts';

interface ServicePort {
  name?: string;
  protocol?: string;
  port: number;
  targetPort?: number | string;
  nodePort?: number;
}

interface ServiceSpec {
  type?: string;
  clusterIP?: string;
  clusterIPs?: string[];
  externalName?: string;
  ports?: ServicePort[];
  selector?: Labels;
  sessionAffinity?: string;
  internalTrafficPolicy?: string;
  externalTrafficPolicy?: string;
}

interface Service extends KubeObject {
  spec?: ServiceSpec;
}

const PORT_MAX = 65_535;
const NAME_CHARS_MAX = 63;
const portName = /^(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$/;

/** RFC 1035 label: a Service's name stands in DNS, so it begins with a letter. */
const isServiceName: NameRule = (name) =>
  name.length <= NAME_CHARS_MAX && /^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(name)
    ? undefined
    : "must be an RFC 1035 label: at most 63 lower case letters, digits or '-', start with a letter and end with a letter or digit";

export const serviceKind = defineKind<Service>({
  ...(serviceRow as unknown as ResourceRow<Service>),
  schema: 'io.k8s.api.core.v1.Service',
  nameRule: isServiceName,
  defaults: (service) => within(fill(service, { spec: {} }), 'spec', specDefaults),
  validate: (next, previous) => {
    const spec = next.spec ?? {};
    return [
      ...kindOfFaults(spec),
      ...portsFaults(spec),
      ...labelFaults(spec.selector, 'spec.selector'),
      ...oneOf('spec.sessionAffinity', spec.sessionAffinity, ['ClientIP', 'None']),
      ...oneOf('spec.internalTrafficPolicy', spec.internalTrafficPolicy, ['Cluster', 'Local']),
      ...oneOf('spec.externalTrafficPolicy', spec.externalTrafficPolicy, ['Cluster', 'Local']),
      ...(previous ? headlessChangeFaults(spec, previous.spec ?? {}) : []),
    ];
  },
});

function specDefaults(spec: ServiceSpec): ServiceSpec {
  const next = fill(spec, { type: 'ClusterIP', sessionAffinity: 'None' });
  const { type } = next;
  const filled = fill(next, {
    ...(type === 'ExternalName' ? {} : { internalTrafficPolicy: 'Cluster' }),
    ...(isOutside(type) ? { externalTrafficPolicy: 'Cluster' } : {}),
    ...(type === 'LoadBalancer' ? { allocateLoadBalancerNodePorts: true } : {}),
    ...(next.clusterIP === 'None' ? { clusterIPs: ['None'] } : {}),
  });
  return within(filled, 'ports', (ports) =>
    ports.map((port) => fill(fill(port, { protocol: 'TCP' }), { targetPort: port.port })),
  );
}

const isOutside = (type: string | undefined) => type === 'NodePort' || type === 'LoadBalancer';

function kindOfFaults({ type, clusterIP, clusterIPs, externalName }: ServiceSpec): FieldFault[] {
  const faults = oneOf('spec.type', type, ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']);
  if (type === 'ExternalName') {
    const wrong = externalName ? isDnsSubdomain(externalName.replace(/\.$/, '').toLowerCase()) : undefined;
    if (!externalName) faults.push(required('spec.externalName'));
    else if (wrong) faults.push(invalid('spec.externalName', externalName, wrong));
    if (clusterIP) faults.push(forbidden('spec.clusterIP', 'may not be set for ExternalName services'));
    return faults;
  }
  if (clusterIP && clusterIP !== 'None')
    faults.push(
      invalid('spec.clusterIP', clusterIP, 'this hub gives no virtual addresses: leave it out or write None'),
    );
  if (clusterIP === 'None' && isOutside(type))
    faults.push(invalid('spec.clusterIP', clusterIP, `may not be None for ${type} services`));
  if ((clusterIPs ?? []).some((address) => address !== clusterIP))
    faults.push(invalid('spec.clusterIPs', clusterIPs, 'must be what clusterIP is'));
  return faults;
}

function portsFaults({ type, clusterIP, ports = [] }: ServiceSpec): FieldFault[] {
  if (ports.length === 0) return clusterIP === 'None' || type === 'ExternalName' ? [] : [required('spec.ports')];
  const names = new Set<string>();
  const numbers = new Set<string>();
  return ports.flatMap((port, index) => {
    const field = `spec.ports[${index}]`;
    const faults = portFaults(port, field, type);
    if (ports.length > 1 && !port.name) faults.push(required(`${field}.name`));
    if (port.name && names.has(port.name)) faults.push(duplicate(`${field}.name`, port.name));
    const number = `${port.protocol}/${port.port}`;
    if (numbers.has(number)) faults.push(duplicate(field, { port: port.port, protocol: port.protocol }));
    names.add(port.name ?? '');
    numbers.add(number);
    return faults;
  });
}

function portFaults({ name, port, protocol, targetPort, nodePort }: ServicePort, field: string, type?: string) {
  const faults = oneOf(`${field}.protocol`, protocol, ['SCTP', 'TCP', 'UDP']);
  const wrongName = name ? isDnsLabel(name) : undefined;
  if (wrongName) faults.push(invalid(`${field}.name`, name, wrongName));
  const between = `must be between 1 and ${PORT_MAX}`;
  if (!isPort(port)) faults.push(invalid(`${field}.port`, port, between));
  if (typeof targetPort === 'number' && !isPort(targetPort))
    faults.push(invalid(`${field}.targetPort`, targetPort, between));
  if (typeof targetPort === 'string' && !portName.test(targetPort))
    faults.push(invalid(`${field}.targetPort`, targetPort, 'must be the name of a port: at most 15 of a-z, 0-9 and -'));
  if (nodePort && !isOutside(type))
    faults.push(forbidden(`${field}.nodePort`, `may not be used when type is ${type ?? 'ClusterIP'}`));
  else if (nodePort && !isPort(nodePort)) faults.push(invalid(`${field}.nodePort`, nodePort, between));
  return faults;
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= PORT_MAX;
}

/** A headless Service stays one, and another does not become one, unless it goes to or comes from ExternalName. */
function headlessChangeFaults(next: ServiceSpec, previous: ServiceSpec): FieldFault[] {
  if (next.type === 'ExternalName' || previous.type === 'ExternalName') return [];
  const same = (next.clusterIP === 'None') === (previous.clusterIP === 'None');
  return same ? [] : [invalid('spec.clusterIP', next.clusterIP, 'field is immutable')];
}
