/** Columns that several kinds share, and how kubectl words their cells. */
import type { KubeObject } from '../../kubernetes.ts';
import type { Column } from './resource-kind.ts';

export const nameColumn: Column = {
  name: 'Name',
  type: 'string',
  priority: 0,
  value: (object) => object.metadata.name,
};

export const ageColumn: Column = {
  name: 'Age',
  type: 'date',
  priority: 0,
  value: (object, nowMs) => ageOf(object.metadata.creationTimestamp, nowMs),
};

/** A column over an object of type `T`. */
export function column<T extends KubeObject>(
  name: string,
  value: (object: T, nowMs: number) => string | number | null | undefined,
  options: { type?: Column['type']; priority?: Column['priority'] } = {},
): Column {
  return {
    name,
    type: options.type ?? 'string',
    priority: options.priority ?? 0,
    value: (object, nowMs) => value(object as T, nowMs) ?? null,
  };
}

/** A column shown only with `-o wide`; an absent value reads `<none>`. */
export function wideColumn<T extends KubeObject>(name: string, value: (object: T) => string | undefined): Column {
  return column<T>(name, (object) => value(object) || '<none>', { priority: 1 });
}

/** How long ago `timestamp` (RFC 3339) was, as kubectl words it. */
export function ageOf(timestamp: string | undefined | null, nowMs: number): string {
  const atMs = Date.parse(timestamp ?? '');
  return Number.isNaN(atMs) ? '<unknown>' : humanDuration(nowMs - atMs);
}

/** Two significant units at most: `95s`, `2m5s`, `3h10m`, `5d2h`, `2y40d`. Source: kubectl's table printer. */
export function humanDuration(durationMs: number): string {
  const seconds = Math.trunc(durationMs / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return twoUnits(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return twoUnits(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (days < 8) return twoUnits(days, 'd', hours % 24, 'h');
  if (days < 2 * 365) return `${days}d`;
  const years = Math.trunc(days / 365);
  return years < 8 ? twoUnits(years, 'y', days % 365, 'd') : `${years}y`;
}

function twoUnits(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
}
