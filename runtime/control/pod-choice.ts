/** Which pod and container a person means. Pure. */
import { AppError } from '../../protocol/errors.ts';
import type { PodSnapshot } from '../workloads/supervisor.ts';

/**
 * The pod of that uid, of that `NAME` or `NAMESPACE/NAME`, or the only one whose name begins so.
 * Errors: `E_NOT_FOUND`, `E_INPUT_INVALID` when several fit.
 */
export function choosePod(pods: readonly PodSnapshot[], reference: string): PodSnapshot {
  const slash = reference.indexOf('/');
  const namespace = slash < 0 ? undefined : reference.slice(0, slash);
  const name = reference.slice(slash + 1);
  const here = pods.filter((pod) => namespace === undefined || pod.namespace === namespace);
  const fits: ((pod: PodSnapshot) => boolean)[] = [
    ({ uid }) => uid === reference,
    (pod) => pod.name === name,
    (pod) => name !== '' && pod.name.startsWith(name),
  ];
  for (const fit of fits) {
    const found = here.filter(fit);
    if (found.length === 1) return found[0]!;
    if (found.length > 1)
      throw new AppError(
        'E_INPUT_INVALID',
        `${reference} can mean ${found.map((pod) => `${pod.namespace}/${pod.name}`).join(' or ')}: write more of it`,
      );
  }
  throw new AppError('E_NOT_FOUND', `this terminal has no pod ${reference}; "stile-runtime ctl pods" lists them`);
}

/** The container of that name, or the only one, or the first of those that are not init containers, as kubectl does. */
export function chooseContainer(pod: PodSnapshot, name: string | undefined): string {
  const names = pod.containers.map((container) => container.name);
  const chosen =
    name === undefined ? pod.containers.find(({ init }) => !init)?.name : names.find((own) => own === name);
  if (chosen === undefined)
    throw new AppError('E_NOT_FOUND', `pod ${pod.name} has no container ${name ?? ''}: it has ${names.join(', ')}`);
  return chosen;
}
