/** `stile pool`: OpenYurt's NodePool by its everyday name. */
import { AppError } from '../../../protocol/errors.ts';
import type { KubeObject, Taint } from '../../../protocol/kubernetes.ts';
import type { ConnectionOptions, World } from '../ports.ts';

export interface PoolOptions extends ConnectionOptions {
  type: 'Edge' | 'Cloud';
  hostNetwork?: boolean;
  /** KEY=VALUE, put on every node of the pool. */
  nodeLabel: string[];
  nodeAnnotation: string[];
  /** KEY[=VALUE]:EFFECT, put on every node of the pool. */
  nodeTaint: string[];
  /** KEY=VALUE of the pool itself. */
  label: string[];
}

const path = '/apis/apps.openyurt.io/v1beta2/nodepools';

export async function createPool(world: World, name: string, options: PoolOptions): Promise<void> {
  const labels = pairs(options.label, '--label');
  const pool: KubeObject = {
    apiVersion: 'apps.openyurt.io/v1beta2',
    kind: 'NodePool',
    metadata: { name, ...(Object.keys(labels).length > 0 ? { labels } : {}) },
    spec: {
      type: options.type,
      hostNetwork: options.hostNetwork ?? false,
      labels: pairs(options.nodeLabel, '--node-label'),
      annotations: pairs(options.nodeAnnotation, '--node-annotation'),
      taints: options.nodeTaint.map(parseTaint),
    },
  };
  const connection = await world.connect(options);
  await connection.api({ method: 'POST', path, query: { fieldValidation: 'Strict' }, body: pool });
  world.terminal.out(`nodepool.apps.openyurt.io/${name} created\n`);
}

function pairs(texts: readonly string[], option: string): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=');
      if (at < 1) throw new AppError('E_USAGE', `${option} ${text}: write KEY=VALUE`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

function parseTaint(text: string): Taint {
  const match = /^([^=:]+)(?:=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$/.exec(text);
  if (match === null)
    throw new AppError(
      'E_USAGE',
      `--node-taint ${text}: write KEY=VALUE:EFFECT, EFFECT one of NoSchedule, PreferNoSchedule, NoExecute`,
    );
  const [, key, value, effect] = match;
  return { key: key!, ...(value === undefined ? {} : { value }), effect: effect as Taint['effect'] };
}
