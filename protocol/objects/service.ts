/** Service and EndpointSlice. Source: Kubernetes API reference v1.32. */
import { condition, objectMeta, objectReference } from './meta.ts';
import { json, listOf, struct, words } from './object-schema.ts';

const servicePort = struct('ServicePort', {
  name: json,
  port: json,
  targetPort: json,
  protocol: words('TCP', 'UDP', 'SCTP'),
  nodePort: json,
  appProtocol: json,
});
const serviceSpec = struct('ServiceSpec', {
  ports: listOf(servicePort),
  selector: json,
  clusterIP: json,
  clusterIPs: json,
  type: words('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'),
  ipFamilies: json,
  ipFamilyPolicy: words('SingleStack', 'PreferDualStack', 'RequireDualStack'),
  sessionAffinity: words('None', 'ClientIP'),
  internalTrafficPolicy: words('Cluster', 'Local'),
  externalTrafficPolicy: words('Cluster', 'Local'),
  externalIPs: json,
  externalName: json,
  publishNotReadyAddresses: json,
  allocateLoadBalancerNodePorts: json,
  loadBalancerClass: json,
  loadBalancerIP: json,
  loadBalancerSourceRanges: json,
  healthCheckNodePort: json,
  sessionAffinityConfig: json,
  trafficDistribution: json,
});
const ingress = struct('LoadBalancerIngress', { ip: json, hostname: json, ipMode: json, ports: json });
const loadBalancer = struct('LoadBalancerStatus', { ingress: listOf(ingress) });
const serviceStatus = struct('ServiceStatus', { loadBalancer, conditions: listOf(condition) });

export const service = struct('Service', { metadata: objectMeta, spec: serviceSpec, status: serviceStatus });

const endpointConditions = struct('EndpointConditions', { ready: json, serving: json, terminating: json });
const endpoint = struct('Endpoint', {
  addresses: json,
  conditions: endpointConditions,
  nodeName: json,
  zone: json,
  targetRef: objectReference,
  hostname: json,
  hints: json,
  deprecatedTopology: json,
});
const endpointPort = struct('EndpointPort', {
  name: json,
  port: json,
  protocol: words('TCP', 'UDP', 'SCTP'),
  appProtocol: json,
});

export const endpointSlice = struct('EndpointSlice', {
  metadata: objectMeta,
  addressType: words('IPv4', 'IPv6', 'FQDN'),
  endpoints: listOf(endpoint),
  ports: listOf(endpointPort),
});
