/**
 * Goal: an update that is killed at any step leaves a terminal that starts a version that works, and an update that
 * can be ordered again. Real processes and files: each is killed before, in and after each change of a file, in each
 * phase. Some of the points here, all of them with STILE_TESTS=all.
 */
import { execFile } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { statementText } from '../../../runtime/update/statement.ts';
import { parseState } from '../../../runtime/update/update-state.ts';
import { digestOf } from '../../house/updating.ts';

const drive = fileURLToPath(new URL('drive.ts', import.meta.url));
const killAt = fileURLToPath(new URL('kill-at.mjs', import.meta.url));
const STRIDE = process.env.STILE_TESTS === 'all' ? 1 : 12;
/** More changes than any phase makes. */
const STEPS_MAX = 60;

const node = (...words: string[]) => [process.execPath, '--import', killAt, ...words];
const content = `#!/bin/sh\nexec ${node(drive)
  .map((word) => `'${word}'`)
  .join(' ')} "$@"\n`;
const digest = digestOf(content);

let directory: string;
const path = (name: string) => join(directory, name);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stile-update-'));
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const bytes = Buffer.byteLength(content);
  const text = statementText({ version: '0.2.0', platform: `linux-${process.arch}`, bytes, digest });
  await writeFile(path('key.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
  await writeFile(path('next'), content, { mode: 0o755 });
  const signature = sign(null, Buffer.from(text), privateKey).toString('base64');
  await writeFile(path('next.statement'), `${text}signature ${signature}\n`);
  await mkdir(path('ordered'));
  await start('order', path('ordered'), '');
});
afterAll(() => rm(directory, { recursive: true, force: true }));

type Phase = 'order' | 'launch' | 'version';

interface Ended {
  killed: boolean;
  stdout: string;
}

function start(phase: Phase, dataDir: string, kill: string): Promise<Ended> {
  const more = phase === 'order' ? [path('key.pem'), path('next')] : [];
  const [command, ...args] = node(drive, phase, dataDir, ...more);
  const env = { PATH: process.env.PATH, STILE_KILL: kill };
  return new Promise((resolve, reject) => {
    execFile(command!, args, { env }, (error, stdout, stderr) => {
      if (error !== null && error.signal !== 'SIGKILL') reject(new Error(`${phase} ${kill}: ${stderr}`));
      else resolve({ killed: error !== null, stdout: stdout.trim() });
    });
  });
}

/** A whole update with one kill; false when the phase made fewer changes than that. */
async function course(phase: Phase, step: number, moment: string): Promise<boolean> {
  const dataDir = path(`${phase}-${step}-${moment}`);
  const kill = `${phase}:${step}:${moment}`;
  let killed: boolean;
  if (phase === 'order') {
    await mkdir(dataDir);
    ({ killed } = await start('order', dataDir, kill));
  } else {
    await cp(path('ordered'), dataDir, { recursive: true });
    ({ killed } = await start('launch', dataDir, kill));
  }
  // The next start, as the service manager makes it.
  const next = await start('launch', dataDir, '');
  const isOrdered = phase !== 'order' || !killed;
  expect(isOrdered ? [`ran ${digest}`] : ['own', `ran ${digest}`], kill).toContain(next.stdout);
  if (next.stdout === 'own') {
    await start('order', dataDir, '');
    expect(await start('launch', dataDir, ''), kill).toEqual({ killed: false, stdout: `ran ${digest}` });
  }
  const state = parseState(await readFile(join(dataDir, 'versions', 'state.json'), 'utf8'));
  expect(state, kill).toMatchObject({ active: { digest }, trial: null, last: { result: 'confirmed', told: true } });
  // What was cut has left nothing behind.
  const left = (await readdir(join(dataDir, 'versions'))).toSorted();
  expect(left, kill).toEqual([digest, 'state.json', 'state.json.copy'].toSorted());
  await rm(dataDir, { recursive: true });
  return killed;
}

describe.each<Phase>(['order', 'launch', 'version'])('killed in the phase "%s"', (phase) => {
  it.each(['before', 'in', 'after'])('%s a change', { timeout: 400_000 }, async (moment) => {
    let steps = 0;
    for (let step = 1; step < STEPS_MAX; step += STRIDE) {
      if (!(await course(phase, step, moment))) break;
      steps += 1;
    }
    expect(steps).toBeGreaterThan(0);
    expect(steps).toBeLessThan(STEPS_MAX / STRIDE - 1);
  });
});
