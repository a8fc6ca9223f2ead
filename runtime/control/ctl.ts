/** `stile-runtime ctl`: pods, logs and restarts for the owner of the data directory, with or without a hub. */
import { resolve } from 'node:path';
import type { CtlArguments } from '../sub-commands.ts';
import type { PodSnapshot } from '../workloads/supervisor.ts';
import { askRuntime, readLog } from './control-client.ts';
import { podTable } from './pod-table.ts';

/** Answers on stdout, words for people on stderr. Errors: those of `askRuntime`. */
export async function ctl(options: CtlArguments): Promise<void> {
  const dataDir = resolve(options.dataDir);
  switch (options.verb) {
    case 'pods': {
      const { pods } = await askRuntime<{ pods: PodSnapshot[] }>(dataDir, { kind: 'pods' });
      process.stdout.write(options.output === 'json' ? `${JSON.stringify({ pods }, null, 2)}\n` : podTable(pods));
      return;
    }
    case 'restart': {
      interface Restarted {
        namespace: string;
        name: string;
        journalled: boolean;
      }
      const answer = await askRuntime<Restarted>(dataDir, { kind: 'restart', pod: options.pod });
      if (!answer.journalled)
        process.stderr.write('warning: the outbox is full: the hub will not hear of this restart, the log has it\n');
      const sentence = `pod ${answer.namespace}/${answer.name} is being restarted\n`;
      process.stdout.write(options.output === 'json' ? `${JSON.stringify(answer)}\n` : sentence);
      return;
    }
    case 'logs': {
      const { pod, container, follow, tailLines } = options;
      const interrupted = new AbortController();
      const onSignal = () => interrupted.abort();
      process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
      // Whoever reads us may leave early, as `head` does.
      process.stdout.on('error', onSignal);
      const request = {
        kind: 'log' as const,
        pod,
        follow,
        ...(container === undefined ? {} : { container }),
        ...(tailLines === undefined ? {} : { tailLines }),
      };
      for await (const bytes of readLog(dataDir, request, interrupted.signal))
        if (!process.stdout.write(bytes)) await drained(interrupted.signal);
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    }
  }
}

/** Until stdout takes more, or nobody wants more. */
async function drained(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((done) => {
    process.stdout.once('drain', done);
    signal.addEventListener('abort', () => done(), { once: true });
  });
}
