/**
 * A disk as a program may rely on it: what was synced is there after a power cut, of everything else any part may be.
 * Bytes count from the sync of their file on, names from the sync of their directory on, and one says nothing of the
 * other. A rename is one step; a write is not, it may be torn between and within sectors.
 *
 * Pure: operations go in, images of what a cut leaves come out.
 */
import type { SimRandom } from '../../sim/random.ts';
import type { Operation } from './recording.ts';

/** What becomes of all that was not synced. `kept` is a process that is killed, the others are power cuts. */
export type Survival =
  | 'kept'
  | 'dropped'
  /** New names with none of the bytes, or bytes without the names: the two halves of a forgotten sync. */
  | 'names'
  | 'bytes'
  /** Any subset, in any order, with torn writes. */
  | 'some';

export type ImageEntry =
  | { kind: 'directory' }
  | { kind: 'file'; bytes: Uint8Array }
  | { kind: 'symlink'; target: string };

/** Path to what is there; a directory comes before what is in it. */
export type Image = Map<string, ImageEntry>;

const SECTOR_BYTES = 512;
/** How often a write that survives a power cut is only there in part. */
const TORN_RATE = 0.3;

type NameOperation = Extract<Operation, { kind: 'rename' | 'unlink' | 'rmdir' | 'mkdir' | 'link' | 'symlink' }>;

type ByteChange = { kind: 'write'; offset: number; bytes: Uint8Array } | { kind: 'truncate'; size: number };

interface FileNode {
  kind: 'file';
  synced: Content;
  pending: ByteChange[];
}

interface DirectoryNode {
  kind: 'directory';
  /** As running programs see it, and as it is on the disk. */
  now: Map<string, Node>;
  synced: Map<string, Node>;
}

type Node = FileNode | DirectoryNode | { kind: 'symlink'; target: string };

/** One name, and what it means from then on; undefined: nothing. */
interface NameEffect {
  directory: DirectoryNode;
  name: string;
  node: Node | undefined;
}

export class DiskModel {
  readonly #root: DirectoryNode = emptyDirectory();
  readonly #files = new Map<number, Node>();
  /** Files that have bytes which are not synced. */
  readonly #dirty = new Set<FileNode>();
  /** Changes of names that are not synced, each one step. */
  #names: NameEffect[][] = [];

  /** Throws for an operation that does not fit, which means that the recording has a gap. */
  apply(operation: Operation): void {
    switch (operation.kind) {
      case 'open':
        this.#open(operation);
        break;
      case 'write':
      case 'truncate':
        this.#change(this.#fileOf(operation.fd), operation);
        break;
      case 'sync':
        this.#sync(operation.fd);
        break;
      case 'close':
        this.#files.delete(operation.fd);
        break;
      case 'mark':
        break;
      default:
        this.#setNames(this.#namesOf(operation));
    }
  }

  /** Whether a power cut now could take anything away. */
  get settled(): boolean {
    return this.#dirty.size === 0 && this.#names.length === 0;
  }

  /** Changes of names that a power cut could take away. */
  get nameChanges(): number {
    return this.#names.length;
  }

  /** Bytes of the write that is under way, when `during` is one, may be there up to any point. */
  image(survival: Survival, random: SimRandom, during?: Operation): Image {
    const names = this.#survivingNames(survival, random);
    const rate = random.pick([0.2, 0.5, 0.8]);
    const torn = during?.kind === 'write' ? beginningOf(during, random) : undefined;
    const tornFile = torn === undefined ? undefined : this.#fileOf((during as { fd: number }).fd);
    const bytesOf = (file: FileNode): Uint8Array => {
      const pending = file === tornFile ? [...file.pending, torn!] : file.pending;
      const content = file.synced.copy();
      for (const change of survivingBytes(pending, survival, rate, random)) content.apply(change);
      return content.bytes;
    };
    const image: Image = new Map();
    addTo(image, '', this.#root, names, bytesOf);
    return image;
  }

  #open({ fd, path, truncates }: Extract<Operation, { kind: 'open' }>): void {
    let node = this.#find(path);
    if (node === undefined) {
      node = { kind: 'file', synced: new Content(), pending: [] };
      this.#setNames([{ ...this.#place(path), node }]);
    } else if (truncates && node.kind === 'file') this.#change(node, { kind: 'truncate', size: 0 });
    this.#files.set(fd, node);
  }

  #change(file: FileNode, change: ByteChange): void {
    file.pending.push(change);
    this.#dirty.add(file);
  }

  #sync(fd: number): void {
    const node = this.#files.get(fd);
    if (node?.kind === 'file') {
      for (const change of node.pending) node.synced.apply(change);
      node.pending = [];
      this.#dirty.delete(node);
    } else if (node?.kind === 'directory') this.#syncNames(node);
    else throw new Error(`descriptor ${fd} is synced and was never opened`);
  }

  /** Whatever touched `directory` is on the disk, and with it the other half of a rename. */
  #syncNames(directory: DirectoryNode): void {
    const isOurs = (step: NameEffect[]) => step.some((effect) => effect.directory === directory);
    const done = this.#names.filter(isOurs).flat();
    for (const { directory: where, name, node } of done) setName(where.synced, name, node);
    // An earlier change of a name whose later one is on the disk must not come back.
    const settled = (effect: NameEffect) =>
      done.some(({ directory: where, name }) => where === effect.directory && name === effect.name);
    this.#names = this.#names
      .filter((step) => !isOurs(step))
      .map((step) => step.filter((effect) => !settled(effect)))
      .filter((step) => step.length > 0);
  }

  #namesOf(operation: NameOperation): NameEffect[] {
    switch (operation.kind) {
      case 'rename':
        return [
          { ...this.#place(operation.from), node: undefined },
          { ...this.#place(operation.to), node: this.#node(operation.from) },
        ];
      case 'unlink':
      case 'rmdir':
        return [{ ...this.#place(operation.path), node: undefined }];
      case 'mkdir':
        return [{ ...this.#place(operation.path), node: emptyDirectory() }];
      case 'link':
        return [{ ...this.#place(operation.to), node: this.#node(operation.from) }];
      case 'symlink':
        return [{ ...this.#place(operation.path), node: { kind: 'symlink', target: operation.target } }];
    }
  }

  #setNames(step: NameEffect[]): void {
    for (const { directory, name, node } of step) setName(directory.now, name, node);
    this.#names.push(step);
  }

  /** Names in each directory as the cut leaves them. */
  #survivingNames(survival: Survival, random: SimRandom): (directory: DirectoryNode) => Map<string, Node> {
    if (survival === 'kept' || survival === 'names') return ({ now }) => now;
    if (survival === 'dropped' || survival === 'bytes') return ({ synced }) => synced;
    const rate = random.pick([0.2, 0.5, 0.8]);
    const changed = new Map<DirectoryNode, Map<string, Node>>();
    for (const step of this.#names) {
      if (!random.chance(rate)) continue;
      for (const { directory, name, node } of step) {
        const names = changed.get(directory) ?? new Map(directory.synced);
        setName(names, name, node);
        changed.set(directory, names);
      }
    }
    return (directory) => changed.get(directory) ?? directory.synced;
  }

  #fileOf(fd: number): FileNode {
    const node = this.#files.get(fd);
    if (node?.kind !== 'file') throw new Error(`descriptor ${fd} is written and was never opened as a file`);
    return node;
  }

  #node(path: string): Node {
    const node = this.#find(path);
    if (node === undefined) throw new Error(`the recording never made ${path}`);
    return node;
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const part of path.split('/').filter((name) => name !== ''))
      node = node?.kind === 'directory' ? node.now.get(part) : undefined;
    return node;
  }

  #place(path: string): { directory: DirectoryNode; name: string } {
    const cut = path.lastIndexOf('/');
    const directory = cut < 0 ? this.#root : this.#node(path.slice(0, cut));
    if (directory.kind !== 'directory') throw new Error(`${path} is below something that is no directory`);
    return { directory, name: path.slice(cut + 1) };
  }
}

/** The bytes of one file: a buffer that grows. */
class Content {
  #buffer = Buffer.alloc(0);
  #size = 0;

  copy(): Content {
    const copy = new Content();
    copy.#buffer = Buffer.from(this.bytes);
    copy.#size = this.#size;
    return copy;
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#size);
  }

  apply(change: ByteChange): void {
    const size = change.kind === 'truncate' ? change.size : Math.max(this.#size, change.offset + change.bytes.length);
    if (size > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(size, this.#buffer.length * 2));
      larger.set(this.bytes);
      this.#buffer = larger;
    }
    // What a shorter size cuts off is zeros when the file grows again.
    if (size < this.#size) this.#buffer.fill(0, size, this.#size);
    if (change.kind === 'write') this.#buffer.set(change.bytes, change.offset);
    this.#size = size;
  }
}

function survivingBytes(
  pending: readonly ByteChange[],
  survival: Survival,
  rate: number,
  random: SimRandom,
): readonly ByteChange[] {
  if (survival === 'kept' || survival === 'bytes') return pending;
  if (survival !== 'some') return [];
  return pending
    .filter(() => random.chance(rate))
    .flatMap((change) => (change.kind === 'write' && random.chance(TORN_RATE) ? sectorsOf(change, random) : [change]));
}

/** Some sectors of a write, each whole: disks write sectors in any order. */
function sectorsOf({ offset, bytes }: Extract<ByteChange, { kind: 'write' }>, random: SimRandom): ByteChange[] {
  const sectors: ByteChange[] = [];
  for (let from = 0; from < bytes.length; ) {
    const to = Math.min(bytes.length, from + SECTOR_BYTES - ((offset + from) % SECTOR_BYTES));
    if (random.chance(0.5)) sectors.push({ kind: 'write', offset: offset + from, bytes: bytes.subarray(from, to) });
    from = to;
  }
  return sectors;
}

/** The part of a write that had come through: up to the end of a sector, or to anywhere. */
function beginningOf({ offset, bytes }: { offset: number; bytes: Uint8Array }, random: SimRandom): ByteChange {
  let count = random.integer(0, bytes.length);
  if (random.chance(0.5)) count = Math.max(0, count - ((offset + count) % SECTOR_BYTES));
  return { kind: 'write', offset, bytes: bytes.subarray(0, count) };
}

function addTo(
  image: Image,
  path: string,
  directory: DirectoryNode,
  names: (directory: DirectoryNode) => Map<string, Node>,
  bytesOf: (file: FileNode) => Uint8Array,
): void {
  for (const [name, node] of names(directory)) {
    const place = path === '' ? name : `${path}/${name}`;
    if (node.kind === 'file') image.set(place, { kind: 'file', bytes: bytesOf(node) });
    else if (node.kind === 'symlink') image.set(place, { kind: 'symlink', target: node.target });
    else {
      image.set(place, { kind: 'directory' });
      addTo(image, place, node, names, bytesOf);
    }
  }
}

function setName(names: Map<string, Node>, name: string, node: Node | undefined): void {
  if (node === undefined) names.delete(name);
  else names.set(name, node);
}

const emptyDirectory = (): DirectoryNode => ({ kind: 'directory', now: new Map(), synced: new Map() });
