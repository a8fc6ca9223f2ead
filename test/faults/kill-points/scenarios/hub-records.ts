/**
 * The hub's database at work: objects created, changed and deleted while the log is folded, events of terminals with
 * their watermarks, revisions of views, tokens, certificates and revocations, tags of images; stops and starts.
 */
import { join } from 'node:path';
import { hubSchema } from '../../../../cloud/hub/hub-schema.ts';
import type { HubState } from '../../../../cloud/hub/hub-state.ts';
import { NodeReports } from '../../../../cloud/hub/node-reports.ts';
import { SqliteHubJournal } from '../../../../cloud/hub/sqlite-journal.ts';
import { SqliteIdentityStore } from '../../../../cloud/identity/sqlite-identity-store.ts';
import { SqliteImageTags } from '../../../../cloud/images/image-tags.ts';
import { configMapKind, eventKind } from '../../../../cloud/kinds/registry.ts';
import { SqliteStore } from '../../../../cloud/store/sqlite.ts';
import { type Env, randomHex } from '../../../../protocol/env.ts';
import type { Json, KubeObject } from '../../../../protocol/kubernetes.ts';
import type { EventItem } from '../../../../protocol/messages.ts';
import { Database } from '../../../../protocol/node/sqlite.ts';
import type { Cut, Drive, Scenario } from '../scenario.ts';
import { expect, expectState, isAcknowledged, Lane, lanesOf, possibleStates } from '../scenario.ts';
import { IdentityHistory, identitiesOf } from './identity-history.ts';

const ROUNDS = 14;
const STARTS = [5, 10];
const NAMES = ['a', 'b', 'c', 'd'];
const NODES = ['gate-1', 'gate-2'];
const NAMESPACE = 'default';
/** Small, so that the log is folded several times. */
const LOG = { logEntriesMax: 24, compactEntries: 8 };

export const hubRecords: Scenario = {
  name: 'hub/records',
  drive: async (drive) => {
    const life = new Life(drive);
    await life.start();
    for (let round = 0; round < ROUNDS; round += 1) {
      await life.round(round);
      if (!STARTS.includes(round)) continue;
      await life.stop();
      await life.start();
    }
    await life.stop();
  },
  verify,
};

/** Everything that one file holds, opened as the hub opens it. */
interface Parts {
  database: Database;
  store: SqliteStore;
  state: HubState;
  journal: SqliteHubJournal;
  identities: SqliteIdentityStore;
  tags: SqliteImageTags;
}

async function open(env: Env, directory: string): Promise<Parts> {
  const database = await Database.open(join(directory, 'hub.db'), hubSchema);
  try {
    const store = await SqliteStore.open(env, database, 'resource', LOG);
    const journal = new SqliteHubJournal(database, randomHex(env.random, 16));
    const state = await journal.load();
    const identities = new SqliteIdentityStore(database);
    return { database, store, state, journal, identities, tags: new SqliteImageTags(database) };
  } catch (error) {
    await database.close();
    throw error;
  }
}

class Life {
  readonly #drive: Drive;
  readonly #lanes = new Map<string, Lane>();
  readonly #identities: IdentityHistory;
  readonly #watermarks = new Map<string, number>();
  readonly #entries = new Map<string, string[]>();
  #parts!: Parts;
  #revision = 0;

  constructor(drive: Drive) {
    this.#drive = drive;
    this.#identities = new IdentityHistory(drive.random.fork('identities'));
  }

  async start(): Promise<void> {
    const { env, directory } = this.#drive;
    this.#parts = await open(env, directory);
    await this.#lane('incarnation').step(this.#parts.state.incarnation, async () => {});
  }

  async stop(): Promise<void> {
    await this.#parts.store.close();
    await this.#parts.database.close();
  }

  async round(round: number): Promise<void> {
    await Promise.all([
      ...NAMES.map((name) => this.#object(name, round)),
      ...NODES.map((node) => this.#report(node, round)),
      ...NODES.map((node) => this.#section(node, round)),
      this.#identity(),
      this.#tag(round),
    ]);
  }

  async #object(name: string, round: number): Promise<void> {
    const { store } = this.#parts;
    const { random } = this.#drive;
    for (let change = 0; change < 2; change += 1) {
      const value = `${round}.${change} `.repeat(random.pick([1, 40, 300]));
      const current = await store.get(configMapKind, NAMESPACE, name);
      if (current !== undefined && random.chance(0.25))
        await this.#lane(`object/${name}`).step(null, () => store.delete(configMapKind, NAMESPACE, name));
      else
        await this.#lane(`object/${name}`).step(value, async () => {
          if (current === undefined) await store.create(configMapKind, configMap(name, value));
          else await store.update(configMapKind, { ...current, data: { value } } as KubeObject);
        });
      // Told in a step of its own, for others have changed things meanwhile.
      this.#revision = Math.max(this.#revision, Number(store.revision()));
      const told = this.#revision;
      this.#drive.mark({ phase: 'begun', lane: 'revision', step: told, state: told });
    }
  }

  /** As a session does it: what was received, its watermark, and Kubernetes Events of some of it. */
  async #report(node: string, round: number): Promise<void> {
    const { env, random } = this.#drive;
    const epoch = `${node}-epoch-${round < ROUNDS / 2 ? 1 : 2}`;
    const first = (this.#watermarks.get(epoch) ?? 0) + 1;
    const count = random.integer(1, 5);
    const items = Array.from({ length: count }, (_, index) => reported(node, epoch, first + index));
    const watermark = first + count - 1;
    this.#watermarks.set(epoch, watermark);
    const nothing = { watermarks: new Map() };
    const reports = new NodeReports(env, this.#parts.store, this.#parts.journal, nothing);
    await this.#lane(`watermark/${node}/${epoch}`).step(watermark, () =>
      reports.events(node, { epoch, first, watermark, items }),
    );
  }

  async #section(uid: string, round: number): Promise<void> {
    const keys = this.#entries.get(uid) ?? [];
    const lane = this.#lane(`section/1/${uid}`);
    const to = round + 1;
    const put = `Pod//${uid}-${round}`;
    const deletes = keys.filter(() => this.#drive.random.chance(0.3));
    const left = [...keys.filter((key) => !deletes.includes(key)), put];
    this.#entries.set(uid, left);
    const puts = [{ key: put, revision: to, hash: Buffer.alloc(16, round) }];
    await lane.step({ revision: to, keys: [...left].sort() }, () =>
      this.#parts.journal.commit([{ kind: 'section.changed', scope: 1, uid, to, puts, deletes }]),
    );
  }

  async #identity(): Promise<void> {
    for (let change = 0; change < 3; change += 1) {
      const { work, after } = await this.#identities.next();
      await this.#lane('identities').step(after, () => work(this.#parts.identities));
    }
  }

  async #tag(round: number): Promise<void> {
    const { tags } = this.#parts;
    const reference = `gate:${round % 3}`;
    const gone = this.#drive.random.chance(0.2);
    const digest = `sha256:${String(round).padStart(64, '0')}`;
    await this.#lane(`tag/${reference}`).step(gone ? null : digest, () =>
      gone ? tags.remove(reference) : tags.save({ reference, digest, mediaType: 'm', updatedMs: round }),
    );
  }

  #lane(name: string): Lane {
    const lane = this.#lanes.get(name) ?? new Lane(this.#drive, name);
    this.#lanes.set(name, lane);
    return lane;
  }
}

async function verify({ env, directory, marks }: Cut): Promise<void> {
  const { database, store, state, identities, tags } = await open(env, directory);
  try {
    if (isAcknowledged(marks, 'incarnation')) expectState(marks, 'incarnation', state.incarnation);
    for (const lane of lanesOf(marks, 'object/')) {
      const object = await store.get(configMapKind, NAMESPACE, lane.slice('object/'.length));
      expectState(marks, lane, (object?.data as { value: string } | undefined)?.value ?? null);
    }
    for (const lane of lanesOf(marks, 'watermark/')) await verifyReports(marks, lane, { database, store, state });
    for (const lane of lanesOf(marks, 'section/')) {
      const section = state.sections.get(lane.slice('section/'.length));
      expectState(
        marks,
        lane,
        section === undefined ? null : { revision: section.revision, keys: [...section.entries.keys()].sort() },
      );
    }
    if (lanesOf(marks, 'identities').length > 0) expectState(marks, 'identities', await identitiesOf(identities));
    const known = new Map((await tags.all()).map((tag) => [tag.reference, tag.digest]));
    for (const lane of lanesOf(marks, 'tag/')) expectState(marks, lane, known.get(lane.slice('tag/'.length)) ?? null);
    expect((await database.faults('full')).length === 0, 'the database has faults');
    // A number that was ever told is not given out again.
    const told = Math.max(0, ...marks.filter(({ lane }) => lane === 'revision').map(({ step }) => step));
    const created = await store.create(configMapKind, configMap('next', ''));
    expect(Number(created.metadata.resourceVersion) > told, `revision ${told} is given out again`);
  } finally {
    await store.close();
    await database.close();
  }
}

/** Every event up to the watermark once, and none beyond it; the Kubernetes Events that follow from them, once. */
async function verifyReports(
  marks: Cut['marks'],
  lane: string,
  { database, store, state }: Pick<Parts, 'database' | 'store' | 'state'>,
): Promise<void> {
  const [, node = '', epoch = ''] = lane.split('/');
  const watermark = state.watermarks.get(node)?.get(epoch) ?? null;
  expectState(marks, lane, watermark);
  const rows = await database.all('SELECT seq, data FROM node_event WHERE node = ? AND epoch = ? ORDER BY seq', [
    node,
    epoch,
  ]);
  expect(rows.length === (watermark ?? 0), `${lane} is ${watermark}, and ${rows.length} events are there`);
  const { items } = await store.list(eventKind);
  for (const [index, { seq, data }] of rows.entries()) {
    const wanted = reported(node, epoch, index + 1);
    expect(seq === index + 1 && data === JSON.stringify(wanted.data), `${lane} has another event ${index + 1}`);
    if (wanted.type !== 'kubernetes.event') continue;
    const name = `${node}.${epoch.slice(0, 8)}${(seq as number).toString(16)}`;
    const found = items.filter((event) => event.metadata.name === name).length;
    expect(found === 1, `the Event ${name} is there ${found} times`);
  }
  const most = Math.max(0, ...possibleStates(marks, lane).map((value: Json) => Number(value ?? 0)));
  expect((watermark ?? 0) <= most, `${lane} is ${watermark}, which was never asked for`);
}

/** Named by the app, and not again under another epoch: then it would be taken for the same. */
function reported(node: string, epoch: string, seq: number): EventItem {
  if (seq % 3 !== 0)
    return {
      type: 'ticket',
      timeMs: seq,
      id: `${epoch}-${seq}`,
      data: { seq, text: `ticket ${seq} `.repeat(seq % 7) },
    };
  const about = { apiVersion: 'v1', kind: 'Node', namespace: '', name: node, uid: node };
  return {
    type: 'kubernetes.event',
    timeMs: seq,
    id: undefined,
    data: { ...about, type: 'Normal', reason: 'Told', message: `${seq}` },
  };
}

function configMap(name: string, value: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: NAMESPACE },
    data: { value },
  } as KubeObject;
}
