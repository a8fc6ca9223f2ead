/**
 * Defaults and rules of a pod's spec, in a Pod as in a workload's template.
 * Source: kubernetes.io API reference v1.32, PodSpec and Container. What a terminal cannot run (volume types, host
 * namespaces) is accepted here and reported by the node in the pod's status, so that a manifest of a real cluster
 * can be applied unchanged.
 */
import type { Container, PodSpec, PodTemplate } from '../../protocol/kubernetes.ts';
import {
  atLeast,
  duplicate,
  type FieldFault,
  invalid,
  oneOf,
  required,
} from '../../protocol/resources/kinds/faults.ts';
import { isDnsLabel, isDnsSubdomain, type NameRule } from '../../protocol/resources/kinds/names.ts';
import { fill, within } from './fill.ts';
import { annotationFaults, labelFaults } from './metadata.ts';

/** How a pod can run on a terminal: `host` is the default. */
export const runtimeClasses = ['host', 'js', 'oci'] as const;

const PORT_MAX = 65_535;
const probeNames = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const;
const envName = /^[^=\0]+$/;

interface ContainerPort {
  name?: string;
  containerPort: number;
  protocol?: string;
}

export function podSpecDefaults(spec: PodSpec): PodSpec {
  let next = fill(spec, {
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    schedulerName: 'default-scheduler',
    securityContext: {},
    enableServiceLinks: true,
  });
  next = within(next, 'containers', (containers) => mapSame(containers, containerDefaults));
  next = within(next, 'initContainers', (containers) => mapSame(containers, containerDefaults));
  return within(next, 'volumes', (volumes) =>
    mapSame(volumes, (volume) =>
      within(
        within(volume, 'configMap', (source) => fill(source, { defaultMode: 0o644 })),
        'secret',
        (source) => fill(source, { defaultMode: 0o644 }),
      ),
    ),
  );
}

function containerDefaults(container: Container): Container {
  let next = fill(container, {
    imagePullPolicy: floatsWithLatest(container.image) ? 'Always' : 'IfNotPresent',
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    resources: {},
  });
  next = within(next, 'ports', (ports) => mapSame(ports, (port) => fill(port, { protocol: 'TCP' })));
  // A limit without a request is a request of the same amount.
  next = within(next, 'resources', (resources) => {
    if (resources.limits === undefined) return resources;
    const requests = fill(resources.requests ?? {}, resources.limits);
    return requests === resources.requests ? resources : { ...resources, requests };
  });
  for (const name of probeNames)
    next = within(next, name, (probe) =>
      fill(probe as Record<string, unknown>, {
        timeoutSeconds: 1,
        periodSeconds: 10,
        successThreshold: 1,
        failureThreshold: 3,
      }),
    );
  return next;
}

/** An image without a tag, or tagged `latest`, may change under its name. */
function floatsWithLatest(image: string | undefined): boolean {
  if (image === undefined || image.includes('@')) return false;
  const tag = /:([^:/]+)$/.exec(image)?.[1];
  return tag === undefined || tag === 'latest';
}

export function podSpecFaults(spec: PodSpec, field: string): FieldFault[] {
  const faults = [
    ...oneOf(`${field}.restartPolicy`, spec.restartPolicy, ['Always', 'OnFailure', 'Never']),
    ...oneOf(`${field}.dnsPolicy`, spec.dnsPolicy, ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None']),
    ...oneOf(`${field}.runtimeClassName`, spec.runtimeClassName, runtimeClasses),
    ...atLeast(`${field}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds, 0),
    ...atLeast(`${field}.activeDeadlineSeconds`, spec.activeDeadlineSeconds, 1),
    ...named(`${field}.nodeName`, spec.nodeName, isDnsSubdomain),
    ...named(`${field}.hostname`, spec.hostname, isDnsLabel),
    ...labelFaults(spec.nodeSelector, `${field}.nodeSelector`),
    ...tolerationFaults(spec, `${field}.tolerations`),
    ...uniqueNames(spec.volumes ?? [], `${field}.volumes`),
    ...uniqueNames([...(spec.containers ?? []), ...(spec.initContainers ?? [])], `${field}.containers`),
  ];
  if ((spec.containers ?? []).length === 0) faults.push(required(`${field}.containers`));
  const volumes = new Set((spec.volumes ?? []).map((volume) => volume.name));
  for (const member of ['containers', 'initContainers'] as const)
    for (const [index, container] of (spec[member] ?? []).entries())
      faults.push(...containerFaults(container, `${field}.${member}[${index}]`, volumes));
  return faults;
}

/** Faults of a workload's `template`, whose pods always restart. */
export function podTemplateFaults(template: PodTemplate, field: string): FieldFault[] {
  const restart = template.spec?.restartPolicy;
  return [
    ...labelFaults(template.metadata?.labels, `${field}.metadata.labels`),
    ...annotationFaults(template.metadata?.annotations, `${field}.metadata.annotations`),
    ...(template.spec ? podSpecFaults(template.spec, `${field}.spec`) : [required(`${field}.spec`)]),
    ...(restart === 'OnFailure' || restart === 'Never'
      ? oneOf(`${field}.spec.restartPolicy`, restart, ['Always'])
      : []),
  ];
}

function containerFaults(container: Container, field: string, volumes: Set<string>): FieldFault[] {
  const faults = [
    ...oneOf(`${field}.imagePullPolicy`, container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never']),
    ...quantityFaults(container.resources?.limits, `${field}.resources.limits`),
    ...quantityFaults(container.resources?.requests, `${field}.resources.requests`),
  ];
  if (!container.image) faults.push(required(`${field}.image`));
  else if (container.image !== container.image.trim())
    faults.push(invalid(`${field}.image`, container.image, 'must not have leading or trailing whitespace'));
  for (const [index, port] of ((container.ports ?? []) as ContainerPort[]).entries()) {
    const path = `${field}.ports[${index}]`;
    if (!Number.isInteger(port.containerPort) || port.containerPort < 1 || port.containerPort > PORT_MAX)
      faults.push(invalid(`${path}.containerPort`, port.containerPort, `must be between 1 and ${PORT_MAX}`));
    faults.push(...oneOf(`${path}.protocol`, port.protocol, ['TCP', 'UDP', 'SCTP']));
  }
  for (const [index, variable] of (container.env ?? []).entries()) {
    if (!variable.name) faults.push(required(`${field}.env[${index}].name`));
    else if (!envName.test(variable.name))
      faults.push(invalid(`${field}.env[${index}].name`, variable.name, "must not contain '='"));
    if (variable.value && variable.valueFrom)
      faults.push(invalid(`${field}.env[${index}].valueFrom`, '', 'may not be specified when `value` is not empty'));
  }
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    if (!mount.mountPath) faults.push(required(`${field}.volumeMounts[${index}].mountPath`));
    if (!volumes.has(mount.name))
      faults.push(invalid(`${field}.volumeMounts[${index}].name`, mount.name, 'names no volume of the pod'));
  }
  return faults;
}

/** Decimal, binary and exponent forms of a quantity, e.g. `100m`, `64Mi`, `1e3`. */
const quantity = /^[+-]?(\d+(\.\d*)?|\.\d+)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?\d+)?$/;

function quantityFaults(amounts: Record<string, string> | undefined, field: string): FieldFault[] {
  return Object.entries(amounts ?? {}).flatMap(([name, amount]) =>
    quantity.test(String(amount)) && !String(amount).startsWith('-')
      ? []
      : [invalid(`${field}[${name}]`, amount, 'must be a quantity that is not negative, e.g. 100m or 64Mi')],
  );
}

function tolerationFaults(spec: PodSpec, field: string): FieldFault[] {
  return (spec.tolerations ?? []).flatMap((toleration, index) => {
    const path = `${field}[${index}]`;
    const faults = [
      ...oneOf(`${path}.operator`, toleration.operator || undefined, ['Equal', 'Exists']),
      ...oneOf(`${path}.effect`, toleration.effect || undefined, ['NoSchedule', 'PreferNoSchedule', 'NoExecute']),
    ];
    if (!toleration.key && toleration.operator !== 'Exists')
      faults.push(invalid(`${path}.operator`, toleration.operator, 'must be Exists when `key` is empty'));
    if (toleration.operator === 'Exists' && toleration.value)
      faults.push(invalid(`${path}.value`, toleration.value, 'must be empty when `operator` is Exists'));
    return faults;
  });
}

function uniqueNames(items: { name: string }[], field: string): FieldFault[] {
  const seen = new Set<string>();
  return items.flatMap((item, index) => {
    const path = `${field}[${index}].name`;
    if (!item.name) return [required(path)];
    if (seen.has(item.name)) return [duplicate(path, item.name)];
    seen.add(item.name);
    return named(path, item.name, isDnsLabel);
  });
}

function named(field: string, name: string | undefined | null, rule: NameRule): FieldFault[] {
  const wrong = name ? rule(name) : undefined;
  return wrong ? [invalid(field, name, wrong)] : [];
}

/** `items.map(change)`, or `items` itself when nothing changed. */
function mapSame<T>(items: T[], change: (item: T) => T): T[] {
  const next = items.map(change);
  return next.some((item, index) => item !== items[index]) ? next : items;
}
