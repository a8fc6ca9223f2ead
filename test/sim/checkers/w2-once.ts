/** W2: no container runs twice at a time on a terminal, neither of one pod nor of two that follow each other by name. */
import type { SpawnRequest } from '../../../runtime/workloads/ports.ts';
import type { Observer } from '../observer.ts';
import type { SimProcess } from '../processes.ts';
import { ownerOf } from '../sim-programs.ts';
import type { Verdicts } from './verdicts.ts';

export class W2Once implements Observer {
  readonly #verdicts: Verdicts;

  constructor(verdicts: Verdicts) {
    this.#verdicts = verdicts;
  }

  spawning(node: string, request: SpawnRequest, living: readonly SimProcess[]): void {
    const own = nameOf(request);
    const twin = living.find((process) => nameOf(process.request) === own);
    this.#verdicts.check(
      'W2',
      twin === undefined,
      () => `${node} starts ${own} while process ${twin?.identity.pid} of it runs`,
    );
  }
}

function nameOf(request: SpawnRequest): string {
  const { POD_NAMESPACE, POD_NAME } = request.env;
  return `${POD_NAMESPACE}/${POD_NAME}/${ownerOf(request).container}`;
}
