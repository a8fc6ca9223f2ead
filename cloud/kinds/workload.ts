/** What Deployment, StatefulSet and DaemonSet have in common: a selector, a template of the pods it selects, a strategy. */
import {
  type Container,
  type KubeObject,
  type LabelSelector,
  matchesSelector,
  type PodTemplate,
} from '../../protocol/kubernetes.ts';
import { wideColumn } from '../../protocol/resources/kinds/columns.ts';
import { type FieldFault, invalid, required } from '../../protocol/resources/kinds/faults.ts';
import type { Column } from '../../protocol/resources/kinds/resource-kind.ts';
import { selectorFaults } from './metadata.ts';
import { podTemplateFaults } from './pod-spec.ts';

export interface WorkloadSpec {
  selector: LabelSelector;
  template: PodTemplate;
  [member: string]: unknown;
}

interface Workload extends KubeObject {
  spec: WorkloadSpec;
}

const percentage = /^\d{1,9}%$/;

/** Faults of the template, and of the selector that must select it. */
export function selectedTemplateFaults(spec: WorkloadSpec, field: string, kindName: string): FieldFault[] {
  const { selector, template } = spec;
  const faults = template ? podTemplateFaults(template, `${field}.template`) : [required(`${field}.template`)];
  if (!selector) return [...faults, required(`${field}.selector`)];
  faults.push(...selectorFaults(selector, `${field}.selector`));
  if (Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0)
    faults.push(invalid(`${field}.selector`, selector, `empty selector is invalid for ${kindName.toLowerCase()}`));
  const labels = template?.metadata?.labels;
  if (template && !matchesSelector(selector, labels))
    faults.push(
      invalid(`${field}.template.metadata.labels`, labels ?? {}, '`selector` does not match template `labels`'),
    );
  return faults;
}

/** Faults of how many pods may be away or too many during a roll-out: a number or a percentage. */
export function amountFaults(field: string, value: unknown): FieldFault[] {
  if (value === undefined || value === null) return [];
  const fits = typeof value === 'string' ? percentage.test(value) : Number.isInteger(value) && (value as number) >= 0;
  return fits ? [] : [invalid(field, value, 'must be an integer or a percentage, e.g. 25%')];
}

/** Whether `amount` is given and nothing: `0` or `0%`. */
export function isZero(amount: number | string | undefined): boolean {
  return amount !== undefined && Number.parseInt(String(amount), 10) === 0;
}

/** The wide columns that kubectl shows of every workload. */
export const containerColumns: Column[] = [
  wideColumn<Workload>('Containers', (one) => containersOf(one, (container) => container.name)),
  wideColumn<Workload>('Images', (one) => containersOf(one, (container) => container.image)),
];

export const selectorColumn: Column = wideColumn<Workload>('Selector', ({ spec }) => selectorText(spec.selector));

function containersOf({ spec }: Workload, member: (container: Container) => string | undefined): string {
  return spec.template.spec.containers.map(member).join(',');
}

/** A selector in the words of `kubectl -l`. */
export function selectorText(selector: LabelSelector | undefined): string {
  const terms = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  for (const { key, operator, values } of selector?.matchExpressions ?? [])
    if (operator === 'Exists') terms.push(key);
    else if (operator === 'DoesNotExist') terms.push(`!${key}`);
    else terms.push(`${key} ${operator.toLowerCase()} (${(values ?? []).join(',')})`);
  return terms.join(',');
}
