/** `stile image`: what the hub keeps for pods to run. */
import { ageOf } from '../../../protocol/resources/kinds/columns.ts';
import type { ConnectionOptions, World } from '../ports.ts';
import { jsonText, type Output, yamlText } from '../print.ts';
import { alignedLines } from '../table.ts';

interface ImageFacts {
  /** `NAME:TAG` */
  reference: string;
  digest: string;
  mediaType: string;
  /** RFC 3339. */
  updated: string;
}

const path = '/stile/v1/images';

export interface ImagePushOptions extends ConnectionOptions {
  entrypoint?: string[];
  cmd?: string[];
  /** NAME=VALUE */
  env?: string[];
  workingDir?: string;
  /** OS/ARCHITECTURE */
  platform?: string;
}

/** The reference with its digest is the only line of stdout. */
export async function pushToHub(
  world: World,
  source: string,
  reference: string,
  options: ImagePushOptions,
): Promise<void> {
  const connection = await world.connect(options);
  const { pushImage } = await import('../../images/push.ts');
  const { entrypoint, cmd, env, workingDir, platform } = options;
  const startMs = world.clock.monotonic();
  const onProgress = (bytesDone: number, bytesTotal: number) =>
    world.terminal.progress(progressLine(bytesDone, bytesTotal, world.clock.monotonic() - startMs));
  try {
    const pushed = await pushImage(
      source,
      reference,
      defined({ entrypoint, cmd, env, workingDir, platform }),
      // The connection is closed by whoever opened it.
      { send: connection.hub.send, close: async () => {} },
      onProgress,
    );
    world.terminal.progress('');
    world.terminal.tell(
      `pushed ${pushed.reference}: sent ${byteText(pushed.bytesSent)} of ${byteText(pushed.bytesTotal)}, ` +
        'the rest was there',
    );
    world.terminal.out(`${pushed.reference}@${pushed.digest}\n`);
  } catch (error) {
    world.terminal.progress('');
    throw error;
  }
}

/** `[#####     ]  50 %  1.0 of 2.0 MiB, 512.0 KiB/s`. Pure. */
export function progressLine(bytesDone: number, bytesTotal: number, elapsedMs: number): string {
  const share = bytesTotal === 0 ? 1 : bytesDone / bytesTotal;
  const bar = '#'.repeat(Math.floor(share * BAR_COLUMNS)).padEnd(BAR_COLUMNS);
  const rate = elapsedMs > 0 ? `, ${byteText((bytesDone / elapsedMs) * 1000)}/s` : '';
  return `[${bar}] ${String(Math.floor(share * 100)).padStart(3)} %  ${byteText(bytesDone)} of ${byteText(bytesTotal)}${rate}`;
}

const BAR_COLUMNS = 24;

export function byteText(bytes: number): string {
  if (bytes < 1024) return `${Math.round(bytes)} B`;
  const exponent = Math.min(3, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** exponent).toFixed(1)} ${['B', 'KiB', 'MiB', 'GiB'][exponent]}`;
}

/** Without the members that are undefined. */
function defined<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}

export async function listImages(world: World, options: ConnectionOptions & { output: Output }): Promise<void> {
  const connection = await world.connect(options);
  const { json } = await connection.hub.send({ method: 'GET', path });
  const { items } = json as { items: ImageFacts[] };
  if (options.output === 'json') return world.terminal.out(jsonText({ items }));
  if (options.output === 'yaml') return world.terminal.out(yamlText({ items }));
  if (options.output === 'name') return world.terminal.out(items.map(({ reference }) => `${reference}\n`).join(''));
  if (items.length === 0) return world.terminal.tell('No images found');
  const wide = options.output === 'wide';
  const rows = items.map(({ reference, digest, mediaType, updated }) => [
    reference,
    wide ? digest : digest.slice(0, 'sha256:'.length + 12),
    ageOf(updated, world.clock.now()),
    ...(wide ? [mediaType] : []),
  ]);
  const lines = alignedLines([['NAME', 'DIGEST', 'UPDATED', ...(wide ? ['MEDIA-TYPE'] : [])], ...rows]);
  world.terminal.out(`${lines.join('\n')}\n`);
}

export async function deleteImages(world: World, names: readonly string[], options: ConnectionOptions): Promise<void> {
  const connection = await world.connect(options);
  for (const name of names) {
    try {
      await connection.hub.send({ method: 'DELETE', path: `${path}/${encodeURIComponent(name)}` });
      world.terminal.out(`image/${name} deleted\n`);
    } catch (error) {
      if (names.length === 1) throw error;
      world.report(error);
    }
  }
}
