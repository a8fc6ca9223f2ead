/** `stile node cordon|uncordon|session|revoke|resume|move`: a terminal as a whole, and its connection. */
import type { Node } from '../../../protocol/kubernetes.ts';
import type { ConnectionOptions, World } from '../ports.ts';
import { jsonText, type Output, yamlText } from '../print.ts';
import { alignedLines } from '../table.ts';

/** As the hub answers it. */
interface NodeSession {
  bytesSent: number;
  bytesReceived: number;
  sections: { scope: number; uid: string; revision: number; digest: string; sent: number; acked: number }[];
}

export async function setSchedulable(
  world: World,
  names: readonly string[],
  schedulable: boolean,
  options: ConnectionOptions,
): Promise<void> {
  const connection = await world.connect(options);
  const verb = schedulable ? 'uncordoned' : 'cordoned';
  for (const name of names) {
    const path = `/api/v1/nodes/${encodeURIComponent(name)}`;
    try {
      const node = await connection.api<Node>({ method: 'GET', path });
      if ((node.spec?.unschedulable ?? false) === !schedulable) {
        world.terminal.out(`node/${name} already ${verb}\n`);
        continue;
      }
      await connection.api({
        method: 'PATCH',
        path,
        contentType: 'application/strategic-merge-patch+json',
        body: { spec: { unschedulable: schedulable ? null : true } },
      });
      world.terminal.out(`node/${name} ${verb}\n`);
    } catch (error) {
      if (names.length === 1) throw error;
      world.report(error);
    }
  }
}

/** What the connection of a terminal carried and how far its view is. Of one node, as it is asked for by name. */
export async function showSession(
  world: World,
  name: string,
  options: ConnectionOptions & { output: Output },
): Promise<void> {
  const connection = await world.connect(options);
  const { json } = await connection.hub.send({
    method: 'GET',
    path: `/stile/v1/nodes/${encodeURIComponent(name)}/session`,
  });
  const report = json as NodeSession;
  if (options.output === 'json') return world.terminal.out(jsonText(report));
  if (options.output === 'yaml') return world.terminal.out(yamlText(report));
  const scopes = ['pool', 'node', 'subscription'];
  const rows = report.sections.map(({ scope, revision, acked, digest }) => [
    scopes[scope] ?? String(scope),
    String(revision),
    String(acked),
    digest.slice(0, 12),
  ]);
  const lines = alignedLines([['SECTION', 'REVISION', 'ACKNOWLEDGED', 'DIGEST'], ...rows]);
  world.terminal.out(`${lines.join('\n')}\n`);
  world.terminal.tell(`sent ${report.bytesSent} B, received ${report.bytesReceived} B on this connection`);
}

/** What is decided about the identity of a terminal. */
export type NodeDecision = 'revoke' | 'resume';

const decided: Record<NodeDecision, string> = {
  revoke: 'revoked: its terminal is let in never again',
  resume: 'resumed: its terminal is let in again',
};

export async function decideNodes(
  world: World,
  names: readonly string[],
  decision: NodeDecision,
  options: ConnectionOptions,
): Promise<void> {
  const connection = await world.connect(options);
  for (const name of names) {
    try {
      await connection.hub.send({ method: 'POST', path: `/stile/v1/nodes/${encodeURIComponent(name)}/${decision}` });
      world.terminal.out(`node/${name} ${decided[decision]}\n`);
      if (decision === 'revoke')
        world.terminal.tell(`  its name is free: stile token create --pool POOL --node ${name} --replace`);
    } catch (error) {
      if (names.length === 1) throw error;
      world.report(error);
    }
  }
}

/** Puts terminals into another pool; what they run follows the pool's workloads. */
export async function moveNodes(
  world: World,
  names: readonly string[],
  options: ConnectionOptions & { pool: string },
): Promise<void> {
  const connection = await world.connect(options);
  for (const name of names) {
    try {
      const path = `/stile/v1/nodes/${encodeURIComponent(name)}/move`;
      await connection.hub.send({ method: 'POST', path, json: { pool: options.pool } });
      world.terminal.out(`node/${name} moved to pool ${options.pool}\n`);
    } catch (error) {
      if (names.length === 1) throw error;
      world.report(error);
    }
  }
}
