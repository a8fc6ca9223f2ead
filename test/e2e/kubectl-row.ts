/** One command of a table: what is typed, what the user must see of it, and what the hub must be asked. */
import { expect } from 'vitest';
import type { Outcome } from './kubectl-process.ts';
import type { NotedRequest } from './recording-proxy.ts';

export interface CommandRow {
  /** What follows `kubectl`; split at spaces where it is a text. */
  command: string | readonly string[];
  /** What `-f -` reads. */
  stdin?: string;
  /** Whose certificate is shown, instead of the administrator's. */
  as?: 'visitor';
  /** 0 when absent. */
  code?: number;
  /** All of it, tidied (`tidy`), or what must be found in it. Absent: nothing is written there. */
  stdout?: string | RegExp;
  stderr?: string | RegExp;
  /** Everything that the hub was asked, as `requestLines` writes it; a question repeated while waiting counts as one. */
  requests: readonly string[];
  /** What is asked as well when the hub has not yet done what is waited for. */
  perhaps?: readonly string[];
  /** kubectl asks several things at once. */
  concurrent?: true;
}

/** Runs the row's command by `run` and compares; `noted` tells the requests since the last time. */
export async function checkRow(
  row: CommandRow,
  run: (words: string | string[], stdin?: string) => Promise<Outcome>,
  noted: () => NotedRequest[],
): Promise<void> {
  const { command, stdin, code = 0, stdout = '', stderr = '', requests } = row;
  noted();
  const outcome = await run(typeof command === 'string' ? command : [...command], stdin);
  const asked = requestLines(noted()).filter((line) => !row.perhaps?.includes(line));
  const inOrder = row.concurrent
    ? (lines: readonly string[]) => [...new Set(lines)].sort()
    : (lines: readonly string[]) => lines;
  const shown = `kubectl ${commandText(row)}\n${outcome.stdout}${outcome.stderr}`;
  expect.soft(outcome.code, `exit code of ${shown}`).toBe(code);
  compare(outcome.stdout, stdout, `stdout of ${shown}`);
  compare(outcome.stderr, stderr, `stderr of ${shown}`);
  expect.soft(inOrder(asked), `requests of ${shown}`).toEqual(inOrder(requests));
}

export function commandText({ command }: CommandRow): string {
  return typeof command === 'string' ? command : command.join(' ');
}

function compare(written: string, wanted: string | RegExp, what: string): void {
  if (typeof wanted === 'string') expect.soft(tidy(written), what).toBe(wanted);
  else expect.soft(tidy(written), what).toMatch(wanted);
}

/** Without what depends on the moment: the width of columns, ages, generated names, and kubectl's own log lines. */
export function tidy(text: string): string {
  const lines = text.split('\n').filter((line) => !/^[IWEF]\d{4} /.test(line));
  return generic(
    lines
      .map((line) =>
        line
          .trimEnd()
          .replaceAll(/(?<=\S) {2,}/g, '  ')
          .replaceAll(age, '$1AGE'),
      )
      .join('\n'),
  ).trimEnd();
}

const age = /(^| {2})\d+[smh](?:\d+[smh])?(?= {2}|$)/g;

/** `METHOD /path?query`, the body's type in brackets where it is not plain JSON; what is volatile as a letter. */
export function requestLines(requests: readonly NotedRequest[]): string[] {
  const lines = requests.map(({ method, target, contentType }) => {
    const type = contentType === '' || contentType === 'application/json' ? '' : ` [${contentType}]`;
    return `${method} ${steady(target)}${type}`;
  });
  return lines.filter((line, index) => line !== lines[index - 1]);
}

/** A revision other than 0, a page's token, a hash, a uid and random times become letters; field terms are sorted. */
function steady(target: string): string {
  const text = decodeURIComponent(target)
    .replace(/([?&]resourceVersion)=[1-9]\d*/, '$1=N')
    .replace(/([?&]continue)=[^&]+/, '$1=C')
    .replace(/([?&]hash)=[^&]+/, '$1=H')
    .replace(/([?&]timeoutSeconds)=\d+/, '$1=S')
    .replace(/(involvedObject\.uid)=[0-9a-f-]{36}/, '$1=U')
    .replace(/(?<=[?&]fieldSelector=)[^&]+/, (terms) => terms.split(',').sort().join(','))
    .replace(/[?&]timeout=32s$/, '');
  return generic(text);
}

/** Pods of the Deployment `web`, and what `generateName: made-` has made. */
function generic(text: string): string {
  return text
    .replaceAll(/\bweb-[a-z0-9]{8,10}-[a-z0-9]{5}\b/g, 'web-POD')
    .replaceAll(/\bweb-[a-z0-9]{8,10}\b(?!-)/g, 'web-HASH')
    .replaceAll(/\bmade-[a-z0-9]{5}\b/g, 'made-NAME');
}
