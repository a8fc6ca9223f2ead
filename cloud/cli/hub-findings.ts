/** Whether the hub and what it keeps are as an operator wants them: a judgement over facts, with a remedy. Pure. */
import { type Finding, green, red, yellow } from '../../protocol/finding.ts';
import { humanDuration } from '../../protocol/resources/kinds/columns.ts';
import type { Validity } from '../../protocol/validity.ts';
import type { Extent, HubHealth } from '../hub/hub-health.ts';
import type { FleetSurvey } from './fleet-survey.ts';

export interface Facts {
  /** This machine's wall clock. */
  nowMs: number;
  /** Version of this program. */
  version: string;
  /** `https://HOST:PORT`. */
  server: string;
  /** Of the kubeconfig's client certificate; absent where something else proves who asks. */
  kubeconfig?: Validity;
  /** `failed`: it was asked for its version, which anybody may know. */
  hub: { kind: 'reached'; roundTripMs: number } | { kind: 'failed'; reason: string };
  /** Absent when the hub was not reached. `aheadMs`: of its clock before this machine's. */
  health?: { kind: 'told'; aheadMs: number; told: HubHealth } | { kind: 'untold'; reason: string };
  /** Why the database was not looked through, though it was asked for. */
  databaseFault?: string;
  /** Absent when the hub was not reached. */
  fleet?: { kind: 'seen'; survey: FleetSurvey } | { kind: 'unseen'; reason: string };
}

const DAY_MS = 86_400_000;
const MIB = 2 ** 20;
/** The first day on which this program can be used. */
const EARLIEST_MS = Date.UTC(2026, 0, 1);
const ROUND_TRIP_YELLOW_MS = 2_000;
const SKEW_YELLOW_MS = 5_000;
/** Beyond this, certificates that the hub signs begin in the future of others. */
const SKEW_RED_MS = 5 * 60_000;
const DISK_RED_BYTES = 256 * MIB;
const DISK_YELLOW_BYTES = 2_048 * MIB;
const DISK_YELLOW_PART = 0.1;
const INODES_RED = 1_000;
const INODES_YELLOW_PART = 0.05;
const CERTIFICATE_RED_MS = 7 * DAY_MS;
const CERTIFICATE_YELLOW_MS = 30 * DAY_MS;
/** Terminals hold certificates of a year, which the authority must outlive. */
const AUTHORITY_RED_MS = 60 * DAY_MS;
const AUTHORITY_YELLOW_MS = 400 * DAY_MS;
const BACKUP_YELLOW_MS = 7 * DAY_MS;
/** Rows that are near their bound, and how far back they should reach then. */
const ROWS_YELLOW_PART = 0.9;
const EVENTS_REACH_MS = 7 * DAY_MS;
const AUDIT_REACH_MS = 30 * DAY_MS;
/** Names in one finding. */
const NAMED_MAX = 5;

export function judge(facts: Facts): Finding[] {
  const { health, fleet } = facts;
  return [
    hub(facts),
    clock(facts),
    kubeconfig(facts),
    ...(health?.kind === 'untold' ? [untold(health.reason)] : []),
    ...(health?.kind === 'told' ? own(facts, health.told) : []),
    ...(fleet?.kind === 'unseen' ? [red('objects', `they cannot be read: ${fleet.reason}`)] : []),
    ...(fleet?.kind === 'seen' ? whole(facts.nowMs, fleet.survey) : []),
  ];
}

/** What the hub told of itself. */
function own(facts: Facts, told: HubHealth): Finding[] {
  const { nowMs, certificates } = told;
  return [
    version(facts.version, told),
    ...disk(told),
    database(told, facts.databaseFault),
    authority(certificates.authority, nowMs),
    server(certificates.server, nowMs),
    backup(told),
    rows(
      'events',
      told.events,
      nowMs,
      EVENTS_REACH_MS,
      'let back ends read on sooner: what goes first is lost to them',
    ),
    rows('audit', told.audit, nowMs, AUDIT_REACH_MS, 'keep copies elsewhere: stile audit --since 24h -o json, daily'),
    identities(told),
  ];
}

function whole(nowMs: number, { nodes, pools, pods, workloads }: FleetSurvey): Finding[] {
  return [nodesOf(nowMs, nodes), poolsOf(pools), podsOf(pods), workloadsOf(workloads)];
}

function hub({ hub: found, server: name, health }: Facts): Finding {
  if (found.kind === 'failed')
    return red(
      'hub',
      found.reason,
      'terminals and their pods go on meanwhile; on its machine: systemctl status stile-hub',
    );
  const answer = `${name} answers in ${found.roundTripMs} ms`;
  if (found.roundTripMs > ROUND_TRIP_YELLOW_MS)
    return yellow('hub', answer, 'look at the network between, and at what keeps the hub’s machine busy');
  if (health?.kind !== 'told') return green('hub', answer);
  return green(
    'hub',
    `${answer}, up for ${humanDuration(health.told.upMs)}, ${counted(health.told.sessions, 'session')}`,
  );
}

function clock({ nowMs, kubeconfig: mine, health }: Facts): Finding {
  const remedy = 'let NTP set the clocks of both machines';
  if (health?.kind === 'told') {
    const skewMs = Math.abs(health.aheadMs);
    const where = health.aheadMs < 0 ? 'behind' : 'ahead of';
    const reason = `the hub’s is ${humanDuration(skewMs)} ${where} this machine’s, ${isoOf(nowMs)}`;
    if (skewMs > SKEW_RED_MS) return red('clock', reason, remedy);
    return skewMs > SKEW_YELLOW_MS ? yellow('clock', reason, remedy) : green('clock', reason);
  }
  const reason = `this machine’s says ${isoOf(nowMs)}`;
  if (nowMs < EARLIEST_MS) return yellow('clock', `${reason}: it was never set`, 'set it, or let NTP set it');
  if (mine !== undefined && nowMs < mine.notBeforeMs)
    return yellow('clock', `${reason}, before the kubeconfig was made`, 'set it, or let NTP set it');
  return green('clock', `${reason}; the hub’s is not known`);
}

function kubeconfig({ nowMs, kubeconfig: mine, health }: Facts): Finding {
  const check = 'kubeconfig';
  if (mine === undefined) return green(check, 'it proves who asks without a client certificate');
  const remedy = 'restart the hub, which renews it at its start, and copy admin.kubeconfig from its data directory';
  return certificate(check, mine, health?.kind === 'told' ? health.told.nowMs : nowMs, remedy);
}

function untold(reason: string): Finding {
  return red(
    'health',
    `the hub does not tell how it is: ${reason}`,
    'use an administrator’s kubeconfig; a hub of an older version tells nothing',
  );
}

function version(program: string, { version: its, engine }: HubHealth): Finding {
  if (program === its) return green('version', `${its} on Node ${engine}, as this program`);
  return yellow('version', `the hub is ${its} on Node ${engine}, this program ${program}`, 'bring both to one version');
}

function disk({ disk: found, dataDir, blobs, database: { bytes } }: HubHealth): Finding[] {
  if (found === undefined) return [yellow('disk', `the size of ${dataDir} cannot be told`, 'look at its mount')];
  const { freeBytes, totalBytes, freeInodes, totalInodes } = found;
  const images = `${counted(blobs.count, 'blob')} of images with ${mib(blobs.bytes)}`;
  const space = `${mib(freeBytes)} of ${mib(totalBytes)} are free at ${dataDir}; hub.db has ${mib(bytes)}, ${images}`;
  const room = 'make room, or delete images that no pod needs: stile image list; a full disk costs the hub its writes';
  const inodes = `${freeInodes} of ${totalInodes} are free`;
  const fewer = 'remove small files from that file system';
  return [
    freeBytes < DISK_RED_BYTES
      ? red('disk', space, room)
      : freeBytes < Math.min(DISK_YELLOW_BYTES, totalBytes * DISK_YELLOW_PART)
        ? yellow('disk', space, room)
        : green('disk', space),
    // File systems without a table of inodes tell 0 of 0.
    totalInodes === 0
      ? green('inodes', 'this file system does not limit them')
      : freeInodes < INODES_RED
        ? red('inodes', inodes, fewer)
        : freeInodes < totalInodes * INODES_YELLOW_PART
          ? yellow('inodes', inodes, fewer)
          : green('inodes', inodes),
  ];
}

function database({ database: { faults }, dataDir }: HubHealth, notLooked: string | undefined): Finding {
  const check = 'database';
  if (notLooked !== undefined)
    return yellow(
      check,
      `it was not looked through: ${notLooked}`,
      'ask again with a longer --request-timeout, e.g. 10m',
    );
  if (faults === undefined) return green(check, 'open; --database looks through it while writers wait');
  if (faults.length === 0) return green(check, 'sound, looked through just now');
  return red(
    check,
    `damaged: ${faults.join('; ')}`,
    `keep ${dataDir} as it is, and restore the last good backup: stile hub restore FILE --data-dir NEW`,
  );
}

function authority(validity: Validity, nowMs: number): Finding {
  const remedy = 'it cannot be renewed: plan a hub with a new authority, which terminals join before';
  return certificate('authority', validity, nowMs, remedy, { redMs: AUTHORITY_RED_MS, yellowMs: AUTHORITY_YELLOW_MS });
}

function server(validity: Validity | undefined, nowMs: number): Finding {
  const check = 'server certificate';
  if (validity === undefined)
    return yellow(check, 'pki/server.pem cannot be read', 'restart the hub: it makes another');
  return certificate(
    check,
    validity,
    nowMs,
    'the hub renews it by itself 60 days before: read its log, then restart it',
  );
}

function certificate(
  check: string,
  { notBeforeMs, notAfterMs }: Validity,
  nowMs: number,
  remedy: string,
  { redMs, yellowMs } = { redMs: CERTIFICATE_RED_MS, yellowMs: CERTIFICATE_YELLOW_MS },
): Finding {
  const leftMs = notAfterMs - nowMs;
  if (leftMs < 0) return red(check, `its certificate ended at ${isoOf(notAfterMs)}`, remedy);
  const reason = `${counted(Math.floor(leftMs / DAY_MS), 'day')} left, until ${isoOf(notAfterMs)}`;
  if (leftMs < redMs) return red(check, reason, remedy);
  if (leftMs < yellowMs) return yellow(check, reason, remedy);
  if (nowMs < notBeforeMs) return yellow(check, `it begins only at ${isoOf(notBeforeMs)}`, 'set the clock');
  return green(check, reason);
}

function backup({ lastBackupMs, nowMs }: HubHealth): Finding {
  const remedy = 'stile hub backup FOLDER, daily, and keep the file elsewhere: it holds the authority’s key';
  if (lastBackupMs === undefined) return yellow('backup', 'the audit journal knows of none', remedy);
  const reason = `the last was taken ${humanDuration(nowMs - lastBackupMs)} ago`;
  return nowMs - lastBackupMs > BACKUP_YELLOW_MS ? yellow('backup', reason, remedy) : green('backup', reason);
}

/** That old rows go is what the bound is for; that they go too soon is worth a word. */
function rows(check: string, extent: Extent, nowMs: number, reachMs: number, remedy: string): Finding {
  const { rows: count, rowsMax, oldestMs } = extent;
  const back = oldestMs === undefined ? '' : `, back to ${isoOf(oldestMs)}`;
  const reason = `at most ${count} of ${rowsMax} rows${back}`;
  const short = oldestMs !== undefined && nowMs - oldestMs < reachMs;
  return count >= rowsMax * ROWS_YELLOW_PART && short ? yellow(check, reason, remedy) : green(check, reason);
}

function identities({ suspended, refused, nowMs }: HubHealth): Finding {
  const check = 'identities';
  // Those are named as suspended already.
  const others = refused.nodes.filter(({ node }) => !suspended.names.includes(node));
  const asking = others.map(({ node, code, lastMs }) => `${node} (${code}, ${humanDuration(nowMs - lastMs)} ago)`);
  const doubtful = suspended.count === 0 ? [] : [`suspended: ${named(suspended.names, suspended.count)}`];
  const refusedCount = Math.max(asking.length, refused.count - (refused.nodes.length - others.length));
  const turned = refusedCount === 0 ? [] : [`turned away and still asking: ${named(asking, refusedCount)}`];
  const reason = [...doubtful, ...turned].join('; ');
  if (reason === '') return green(check, 'nobody is suspended or turned away');
  const remedy =
    doubtful.length > 0
      ? 'stile describe node NAME says why; then stile node resume NAME, or revoke where one was stolen or copied'
      : 'a terminal that belongs here: stile token create --pool POOL --node NAME --replace; else find out who has it';
  return yellow(check, reason, remedy);
}

function nodesOf(nowMs: number, { total, ready, away }: FleetSurvey['nodes']): Finding {
  const count = `${ready} of ${total} Ready`;
  if (away.length === 0) return green('nodes', total === 0 ? 'none has joined' : count);
  const names = away.map(({ name, sinceMs }) =>
    sinceMs === undefined ? name : `${name} (since ${humanDuration(nowMs - sinceMs)})`,
  );
  const reason = `${count}; away: ${named(names, names.length)}`;
  // One that is away is what a terminal is made for. All of them at once: it is the road to the hub.
  if (ready === 0 && total > 1) return red('nodes', reason, 'look at the hub’s own network, name and firewall');
  return yellow('nodes', reason, 'their pods go on; on the spot: stile-runtime check --data-dir DIR');
}

function poolsOf({ total, dark }: FleetSurvey['pools']): Finding {
  if (dark.length === 0) return green('pools', `${counted(total, 'pool')}, none of them cut off`);
  const reason = `no node is Ready in ${dark.length} of ${total}: ${named(dark, dark.length)}`;
  return yellow('pools', reason, 'ask for power and uplink at the site');
}

function podsOf({ total, stuck }: FleetSurvey['pods']): Finding {
  if (stuck.length === 0) return green('pods', `${counted(total, 'pod')}, none of them is stuck`);
  const byReason = new Map<string, number>();
  for (const { reason } of stuck) byReason.set(reason, (byReason.get(reason) ?? 0) + 1);
  const counts = [...byReason].sort(([, one], [, other]) => other - one).map(([reason, count]) => `${reason} ${count}`);
  const examples = named(
    stuck.map(({ name, reason }) => `${name} (${reason})`),
    stuck.length,
  );
  const reason = `${stuck.length} of ${total} do not run: ${named(counts, counts.length)}; ${examples}`;
  return yellow('pods', reason, 'stile describe pod NAME -n NAMESPACE tells why');
}

function workloadsOf({ total, behind }: FleetSurvey['workloads']): Finding {
  if (behind.length === 0) return green('workloads', `${counted(total, 'workload')}, none of them is behind`);
  const names = behind.map(({ name, lack }) => `${name} (${lack})`);
  const reason = `${behind.length} of ${total} are behind: ${named(names, names.length)}`;
  return yellow('workloads', reason, 'look at the nodes and pods above; stile describe KIND NAME -n NAMESPACE');
}

/** The first of `names` and how many more there are. */
function named(names: readonly string[], count: number): string {
  const shown = names.slice(0, NAMED_MAX);
  return [...shown, ...(count > shown.length ? [`${count - shown.length} more`] : [])].join(', ');
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function mib(bytes: number): string {
  return `${Math.floor(bytes / MIB)} MiB`;
}

/** Whole seconds; a date that no calendar has is told as its number. */
function isoOf(timeMs: number): string {
  return Math.abs(timeMs) <= 8.64e15 ? `${new Date(timeMs).toISOString().slice(0, 19)}Z` : `${timeMs} ms`;
}
