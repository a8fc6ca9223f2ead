/**
 * Goal: kill -9 at any moment loses no write that was answered as durable, and gives no sequence to two documents.
 * Method: a real process on a real file, killed after a random time, seeded; each life goes on where the last one was.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Json } from '../../../protocol/kubernetes.ts';

const ROUNDS = 4;
const SEED = Number(process.env.TWINS_KILL_SEED ?? 7);
const writer = fileURLToPath(new URL('writer.ts', import.meta.url));

type Reported = { [key: string]: Json };
interface Line {
  started?: true;
  sequence?: number;
  shown?: number;
  reported?: Reported;
  lane?: number;
  n?: number;
}

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stile-twins-kill-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** One life: what it said until it was killed, after `lines` of them. */
async function life(lines: number): Promise<Line[]> {
  const child = spawn(process.execPath, [writer, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const said: Line[] = [];
  try {
    // All that is in the pipe is read to its end, also what was written after the kill was sent.
    for await (const line of createInterface({ input: child.stdout })) {
      said.push(JSON.parse(line) as Line);
      if (said.length === lines) child.kill('SIGKILL');
    }
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
  return said;
}

it(`keeps what was answered, over ${ROUNDS} kills (TWINS_KILL_SEED=${SEED})`, async () => {
  const answered = new Map<number, number>();
  const documents = new Map<number, string>();
  let draw = SEED;
  for (let round = 0; round < ROUNDS; round += 1) {
    draw = Math.imul(draw, 1_103_515_245) + 12_345;
    const said = await life(40 + ((draw >>> 16) % 400));
    const [start, ...rest] = said;
    expect(start?.started).toBe(true);
    for (const [lane, n] of answered)
      expect(start!.reported![`lane${lane}`], `lane ${lane} in round ${round}`).toBeGreaterThanOrEqual(n);
    const shown = [{ shown: start!.sequence!, reported: start!.reported! }, ...rest];
    for (const { shown: sequence, reported } of shown) {
      if (sequence === undefined) continue;
      const document = JSON.stringify(reported);
      expect(documents.get(sequence) ?? document, `sequence ${sequence} in round ${round}`).toBe(document);
      documents.set(sequence, document);
    }
    for (const { lane, n } of rest) if (lane !== undefined) answered.set(lane, n!);
  }
  expect(answered.size).toBe(4);
  expect(documents.size).toBeGreaterThan(ROUNDS * 20);
});
