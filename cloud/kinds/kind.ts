/** A kind as the hub has it: what reading needs, and beyond it what is filled in and what is refused. */
import type { KubeObject } from '../../protocol/kubernetes.ts';
import type { FieldFault } from '../../protocol/resources/kinds/faults.ts';
import type { ResourceKind } from '../../protocol/resources/kinds/resource-kind.ts';

/** Between a version that is served and the one that is kept. Pure. */
export interface Conversion {
  /** The version that is kept. */
  kind: Kind;
  /** `kept` is what it replaces: what the version cannot say of it stays. */
  write(object: KubeObject, kept?: KubeObject): KubeObject;
  read(object: KubeObject): KubeObject;
}

/** Members from the object down, e.g. `['spec', 'replicas']`. */
export interface ScalePaths {
  specReplicas: readonly string[];
  statusReplicas: readonly string[];
  /** To a label selector as text. */
  labelSelector?: readonly string[];
}

export interface Kind extends ResourceKind {
  /** Part of Kubernetes itself: strategic merge patch is understood. */
  builtin: boolean;
  /** Key of its schema in the OpenAPI components, e.g. `io.k8s.api.core.v1.Pod`. */
  schema: string;
  /** One sentence that whoever creates an object of the kind is told, when it may expect more than it gets. */
  advice: string | undefined;
  /** How its objects are kept when that is as another version of the kind; absent: as they are. */
  stored?: Conversion;
  /** Where the number of replicas stands, for `/scale`; absent: it has none, or is one of those that the API knows. */
  scale?: ScalePaths;
  /** Fills in what the user left out; returns a new object or the same. Pure. */
  defaults(object: KubeObject): KubeObject;
  /** All faults of a new object, or of `next` replacing `previous`. Pure. Empty means accepted. */
  validate(next: KubeObject, previous: KubeObject | undefined): FieldFault[];
  /** What the hub itself keeps of `next`, which was accepted, given what it replaces; in the same write. Pure. */
  settle(next: KubeObject, previous: KubeObject | undefined, nowMs: number): KubeObject;
  /** Seconds an object stays marked before it goes; 0 for most, a bound Pod's terminationGracePeriodSeconds. */
  deletionGraceSeconds(object: KubeObject): number;
}
