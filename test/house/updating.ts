/**
 * A terminal of a house under a service manager that starts it again whenever it ends, and versions of its program:
 * scripts that become the checkout's runtime, or something worse.
 */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { askRuntime } from '../../runtime/control/control-client.ts';
import { type Statement, statementText } from '../../runtime/update/statement.ts';
import type { UpdateStatus } from '../../runtime/update/updates.ts';
import type { House, Outcome } from './house.ts';

const RESTART_MS = 100;
/** To start a runtime, on a busy machine too. */
const GRACE_SECONDS = 20;
const runtimeBin = fileURLToPath(new URL('../../runtime/bin/stile-runtime.mjs', import.meta.url));

/** A script that becomes the runtime of the checkout. `nodeOptions`: what its engine is told. */
export function runtimeScript(...nodeOptions: string[]): string {
  return `#!/bin/sh\nexec '${process.execPath}' ${nodeOptions.join(' ')} '${runtimeBin}' "$@"\n`;
}

/** A version that works, another one for each `mark`: the packed executable where the tests are pointed at one. */
export function workingVersion(mark: string): Uint8Array {
  const packed = process.env.STILE_RUNTIME;
  // What comes after the last section of an executable is nothing to it.
  return Buffer.concat([packed ? readFileSync(packed) : Buffer.from(runtimeScript()), Buffer.from(`# ${mark}\n`)]);
}

export class UpdatingTerminal {
  readonly dataDir: string;
  /** What a trial is given beside a second. */
  graceSeconds = GRACE_SECONDS;
  readonly #house: House;
  readonly #name: string;
  readonly #key: KeyObject;
  #ended = false;
  #running: Promise<void> | undefined;
  /** Starts of the program of the service. */
  starts = 0;

  constructor(house: House, name: string) {
    this.#house = house;
    this.#name = name;
    this.dataDir = house.path('nodes', name);
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    this.#key = privateKey;
    writeFileSync(house.path('update.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
  }

  /** Joins the pool and goes on until `end`. */
  async start(pool: string): Promise<void> {
    const token = await this.#house.token(pool);
    this.#running = this.#keepRunning('--hub', this.#house.url, '--token', token, '--name', this.#name);
    await this.#house.waitFor('the terminal to be asked', () => this.status().then(Boolean));
  }

  get privateKeyPem(): string {
    return this.#key.export({ type: 'pkcs8', format: 'pem' }) as string;
  }

  async end(): Promise<void> {
    this.#ended = true;
    await this.#house.terminals.get(this.#name)?.child.stop();
    await this.#running;
  }

  /** Undefined while it starts. */
  async status(): Promise<UpdateStatus | undefined> {
    return askRuntime<UpdateStatus>(this.dataDir, { kind: 'update-status' }).catch(() => undefined);
  }

  /** Writes an executable and a statement about it that is signed and may say something else. */
  write(version: string, content: string | Uint8Array, says: Partial<Statement> = {}, key = this.#key): string {
    const file = this.#house.path(`version-${version}`);
    writeFileSync(file, content, { mode: 0o755 });
    const digest = digestOf(content);
    const platform = `linux-${process.arch}`;
    const text = statementText({ version, platform, bytes: Buffer.byteLength(content), digest, ...says });
    const signature = sign(null, Buffer.from(text), key).toString('base64');
    writeFileSync(`${file}.statement`, `${text}signature ${signature}\n`);
    return file;
  }

  order(file: string, ...flags: string[]): Promise<Outcome> {
    const times = ['--settle', '1', '--grace', String(this.graceSeconds)];
    return this.#house.tryRuntime('update', file, '--data-dir', this.dataDir, ...times, ...flags);
  }

  /** A pod that sleeps; resolves to the process ids of the terminal's pods. */
  async startPod(): Promise<number[]> {
    const house = this.#house;
    const image = { 'stile-image.json': '{ "entrypoint": ["./main.sh"] }', 'main.sh': '#!/bin/sh\nexec sleep 3600\n' };
    mkdirSync(house.path('image'));
    for (const [name, content] of Object.entries(image))
      writeFileSync(house.path('image', name), content, { mode: 0o755 });
    await house.stile('image', 'push', house.path('image'), 'sleeper:1');
    const spec = { runtimeClassName: 'host', nodeName: this.#name, containers: [{ name: 'main', image: 'sleeper:1' }] };
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'sleeper' }, spec };
    writeFileSync(house.path('pod.json'), JSON.stringify(pod));
    await house.stile('apply', '-f', house.path('pod.json'));
    await house.waitFor('the pod to run', async () => (await house.podPids()).length === 1);
    return house.podPids();
  }

  /** Orders `content` as `version`; resolves to the status when it has ended in one way or the other. */
  async update(version: string, content: string | Uint8Array, ...flags: string[]): Promise<UpdateStatus> {
    const ordered = await this.order(this.write(version, content), ...flags);
    if (ordered.code !== 0) throw new Error(`version ${version} was refused: ${ordered.stderr}`);
    let status: UpdateStatus | undefined;
    const isOver = async () => {
      status = await this.status();
      return status?.last?.digest === digestOf(content) && status.trial === null;
    };
    await this.#house.waitFor(`the trial of ${version} to end`, isOver, 120_000);
    return status!;
  }

  async #keepRunning(...first: string[]): Promise<void> {
    let flags = first;
    while (!this.#ended) {
      this.starts += 1;
      const key = join(this.#house.directory, 'update.pem');
      const { child } = await this.#house.startRuntime(this.#name, '--update-key', key, ...flags);
      await child.ended;
      flags = [];
      await new Promise((resolve) => setTimeout(resolve, RESTART_MS));
    }
  }
}

export function digestOf(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
