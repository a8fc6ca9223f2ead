/** The real terminal of the process. */
import { createInterface } from 'node:readline/promises';
import type { Terminal } from '../ports.ts';

export function processTerminal(): Terminal {
  // `stile get pods | head` closes the pipe early: that is the reader's wish, not a failure.
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      process.exit(process.exitCode ?? 0);
    });
  const interactive = process.stderr.isTTY === true;
  return {
    out: (text) => void process.stdout.write(text),
    tell: (line) => void process.stderr.write(`${line}\n`),
    // Carriage return and "erase to the end of the line" (ECMA-48 EL).
    progress: (text) => interactive && void process.stderr.write(`\r\u001b[K${text}`),
    interactive,
    confirm: interactive && process.stdin.isTTY ? confirm : undefined,
    interruption,
  };
}

async function confirm(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim());
  } finally {
    lines.close();
  }
}

function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => controller.abort(new Error(`stopped by ${signal}`)));
  return controller.signal;
}
