/** What every `PodFiles` must do. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { codeOf } from '../../protocol/errors.ts';
import type { Pod, PodSpec } from '../../protocol/kubernetes.ts';
import type { DesiredPod, LocalImage, PodFiles } from '../../runtime/workloads/ports.ts';

export interface PodFilesHarness {
  files: PodFiles;
  /** The port of a new life of the runtime on the same machine. */
  nextLife(): PodFiles;
  /** An image with an executable file `run.sh` at its root. */
  image: LocalImage;
  /** Appends to a log as a child does. */
  write(logFile: string, text: string): Promise<void>;
  settle<T>(work: Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const place = { podIP: '127.64.0.7', hostIP: '192.0.2.1', nodeName: 'gate-1' };

export function describePodFiles(name: string, open: () => Promise<PodFilesHarness>): void {
  describe(`pod files: ${name}`, () => {
    let harness: PodFilesHarness;
    beforeEach(async () => {
      harness = await open();
    });
    afterEach(() => harness.close());

    test('what was prepared is recalled by the next life, and forgotten after remove', async () => {
      const desired = podWith({ 'Secret/pin': { pin: '1234' }, 'ConfigMap/empty': {} });
      await harness.settle(harness.files.prepare(desired));
      const later = harness.nextLife();
      expect(plain(await harness.settle(later.recall('uid-1')))).toEqual(plain(desired.files));
      await harness.settle(later.remove('uid-1'));
      await harness.settle(later.remove('uid-1'));
      expect(await harness.settle(later.recall('uid-1'))).toEqual(new Map());
    });

    test('a volume of a ConfigMap that is missing is E_POD_INVALID, an optional one is empty', async () => {
      const spec = (optional: boolean) => ({ volumes: [{ name: 'keys', configMap: { name: 'keys', optional } }] });
      const error = await harness.settle(harness.files.prepare(podWith({}, spec(false)))).catch((caught) => caught);
      expect(codeOf(error)).toBe('E_POD_INVALID');
      await harness.settle(harness.files.prepare(podWith({}, spec(true))));
    });

    test('a container gets its command, the pod variables and no STILE_INSTANCE', async () => {
      const env = [
        { name: 'PIN', valueFrom: { secretKeyRef: { name: 'pin', key: 'pin' } } },
        { name: 'GREETING', value: 'pin $(PIN) at $(POD_IP)' },
      ];
      const container = { name: 'main', image: 'gate:1', args: ['--pin=$(PIN)'], env };
      const desired = podWith({ 'Secret/pin': { pin: '1234' } }, { containers: [container] });
      await harness.settle(harness.files.prepare(desired));
      const command = await harness.settle(harness.files.resolve(desired, container, harness.image, place));
      expect(command.file.endsWith('run.sh')).toBe(true);
      expect(command.args).toEqual(['--pin=1234']);
      expect(command.env).toMatchObject({
        POD_NAME: 'gate',
        POD_NAMESPACE: 'gates',
        POD_IP: place.podIP,
        NODE_NAME: 'gate-1',
        GREETING: 'pin 1234 at 127.64.0.7',
      });
      expect(command.env).not.toHaveProperty('STILE_INSTANCE');
      expect(command.engine).toBe(false);
    });

    test('a reference to a key that is missing is E_POD_INVALID', async () => {
      const env = [{ name: 'PIN', valueFrom: { secretKeyRef: { name: 'pin', key: 'pin' } } }];
      const container = { name: 'main', image: 'gate:1', env };
      const desired = podWith({ 'Secret/pin': {} }, { containers: [container] });
      await harness.settle(harness.files.prepare(desired));
      const resolving = harness.settle(harness.files.resolve(desired, container, harness.image, place));
      expect(codeOf(await resolving.catch((caught) => caught))).toBe('E_POD_INVALID');
    });

    test('the tail of a log is its end; of no log it is empty', async () => {
      const desired = podWith({});
      await harness.settle(harness.files.prepare(desired));
      expect(await harness.settle(harness.files.logTail(desired.pod, 'main', 100))).toBe('');
      await harness.write(harness.files.logFile(desired.pod, 'main'), 'first line\nlast\n');
      expect(await harness.settle(harness.files.logTail(desired.pod, 'main', 5))).toBe('last\n');
    });
  });
}

function podWith(sources: Record<string, Record<string, string>>, spec: Partial<PodSpec> = {}): DesiredPod {
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'gate', namespace: 'gates', uid: 'uid-1' },
    spec: { containers: [{ name: 'main', image: 'gate:1' }], ...spec },
  };
  const files = Object.entries(sources).map(([key, entries]): [string, Map<string, Uint8Array>] => [
    key,
    new Map(Object.entries(entries).map(([name, text]) => [name, new Uint8Array(Buffer.from(text))])),
  ]);
  return { pod, files: new Map(files) };
}

function plain(files: DesiredPod['files']): unknown {
  return [...files].map(([key, entries]) => [key, [...entries].map(([name, value]) => [name, [...value]])]);
}
