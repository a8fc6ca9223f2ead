/** What `stile wait --for` waits for: whether an object is there yet, and how it stands if not. Pure. */
import { AppError } from '../../protocol/errors.ts';
import type { KubeObject } from '../../protocol/kubernetes.ts';
import { type JsonPath, parsePath, selectValues } from '../kinds/json-path.ts';
import { valueText } from './json-path-template.ts';

export type WaitCondition =
  | { kind: 'delete' }
  /** A condition of the status; both are compared without regard to case, as kubectl does. */
  | { kind: 'condition'; type: string; status: string }
  /** Without a value, that the path finds something. */
  | { kind: 'jsonpath'; source: string; path: JsonPath; value: string | undefined };

/** `E_USAGE` for what is none of `condition=NAME[=VALUE]`, `delete`, `jsonpath={.path}[=VALUE]`. */
export function parseWaitCondition(text: string): WaitCondition {
  if (text.toLowerCase() === 'delete') return { kind: 'delete' };
  const condition = /^condition=([^=]+)(?:=(.+))?$/.exec(text);
  if (condition !== null) return { kind: 'condition', type: condition[1]!, status: condition[2] ?? 'True' };
  // The path ends at its brace; without braces, at the first = outside of brackets.
  const jsonpath = /^jsonpath=(\{.*?\}|(?:[^=[{]|\[[^\]]*\])+)(?:=(.+))?$/s.exec(text);
  if (jsonpath === null)
    throw new AppError(
      'E_USAGE',
      `--for ${text}: write condition=NAME, condition=NAME=VALUE, delete or jsonpath={.path}=VALUE`,
    );
  const [, source, value] = jsonpath;
  return { kind: 'jsonpath', source: source!, path: parsePath(source!), value: value && unquoted(value) };
}

/** Whether an object that is there fulfils the condition. `E_INPUT_INVALID` when the path finds several values. */
export function isMet(condition: WaitCondition, object: KubeObject): boolean {
  switch (condition.kind) {
    case 'delete':
      return false;
    case 'condition': {
      const found = conditionOf(object, condition.type);
      return !isOutdated(object, found) && sameWord(found?.status ?? '', condition.status);
    }
    case 'jsonpath': {
      const values = selectValues(condition.path, object);
      if (condition.value === undefined) return values.length > 0;
      if (values.length > 1)
        throw new AppError('E_INPUT_INVALID', `${condition.source} finds ${values.length} values: name one of them`);
      return values.length === 1 && valueText(values[0]) === condition.value;
    }
  }
}

/** How an object that does not fulfil the condition stands, after its name: `has Ready=False (NoLink: …)`. */
export function standingOf(condition: WaitCondition, object: KubeObject): string {
  switch (condition.kind) {
    case 'delete': {
      const { deletionTimestamp, finalizers = [] } = object.metadata;
      if (deletionTimestamp === undefined) return 'is not marked for deletion';
      return `is marked for deletion${finalizers.length > 0 ? ` and held by ${finalizers.join(', ')}` : ''}`;
    }
    case 'condition': {
      const found = conditionOf(object, condition.type);
      if (found === undefined) return `has no condition ${condition.type}`;
      const why = [found.reason, found.message].filter((text) => text !== undefined && text !== '').join(': ');
      const outdated = isOutdated(object, found) ? ' of an earlier generation' : '';
      return `has ${found.type}=${found.status}${outdated}${why === '' ? '' : ` (${why})`}`;
    }
    case 'jsonpath': {
      const [value] = selectValues(condition.path, object);
      return value === undefined ? `has no ${condition.source}` : `has ${condition.source}=${valueText(value)}`;
    }
  }
}

interface StatusCondition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  observedGeneration?: number;
}

function statusOf(object: KubeObject): { conditions?: StatusCondition[]; observedGeneration?: number } {
  return (object as { status?: object }).status ?? {};
}

function conditionOf(object: KubeObject, type: string): StatusCondition | undefined {
  const { conditions } = statusOf(object);
  return Array.isArray(conditions) ? conditions.find((condition) => sameWord(condition.type, type)) : undefined;
}

/** A condition that was written before the last change of the spec says nothing about it. */
function isOutdated(object: KubeObject, condition: StatusCondition | undefined): boolean {
  const observed = condition?.observedGeneration ?? statusOf(object).observedGeneration;
  const { generation } = object.metadata as { generation?: number };
  return observed !== undefined && generation !== undefined && observed < generation;
}

function sameWord(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** `'Running'` and `"Running"` mean Running, as with kubectl. */
function unquoted(text: string): string {
  return /^(["'])(.*)\1$/s.exec(text)?.[2] ?? text;
}
