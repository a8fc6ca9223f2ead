/** `stile node cordon|uncordon|session`: whether new pods may come to a terminal, and what its connection carries. */
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
