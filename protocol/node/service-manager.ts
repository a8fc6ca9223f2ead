/**
 * Tells systemd that the service is ready and, as often as its watchdog asks, that it lives. Node has no datagram
 * sockets of Unix, so systemd's own `systemd-notify` carries the word. Source: sd_notify(3), sd_watchdog_enabled(3).
 */
import { execFile } from 'node:child_process';
import type { Env } from '../env.ts';
import { Scope, untilAborted } from '../scope.ts';

const NOTIFY_MS_MAX = 20_000;
/** Signs of life in one period of the watchdog: one may come late. */
const SIGNS_PER_PERIOD = 3;

export interface ServiceEnvironment {
  NOTIFY_SOCKET?: string | undefined;
  /** Microseconds. */
  WATCHDOG_USEC?: string | undefined;
  PATH?: string | undefined;
}

/** Undefined where nobody asked to be told. `stop` ends the signs of life. */
export function tellServiceManager(
  env: Env,
  { NOTIFY_SOCKET, WATCHDOG_USEC, PATH }: ServiceEnvironment,
): { stop(): Promise<void> } | undefined {
  if (NOTIFY_SOCKET === undefined || NOTIFY_SOCKET === '') return undefined;
  const log = env.log.child({ svc: 'service-manager' });
  const notify = (word: string) =>
    new Promise<void>((resolve) => {
      const options = { env: { NOTIFY_SOCKET, PATH }, timeout: NOTIFY_MS_MAX };
      execFile('systemd-notify', [word], options, (error) => {
        if (error !== null) log.warn('systemd was not told', { word, err: error });
        resolve();
      });
    });
  const scope = new Scope(env.clock);
  const periodMs = Number(WATCHDOG_USEC ?? 0) / 1_000;
  scope.spawn((signal) =>
    untilAborted(signal, async () => {
      await notify('--ready');
      while (periodMs > 0) {
        await notify('WATCHDOG=1');
        await scope.sleep(periodMs / SIGNS_PER_PERIOD);
      }
    }),
  );
  return scope;
}
