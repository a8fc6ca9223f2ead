/** `stile node cordon|uncordon`: whether new pods may come to a terminal. What runs there keeps running. */
import type { Node } from '../../../protocol/kubernetes.ts';
import type { ConnectionOptions, World } from '../ports.ts';

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
