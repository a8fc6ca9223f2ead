/** What the view asks this terminal to run: its pods with the contents of the ConfigMaps and Secrets they name. */

import type {
  Action,
  ConfigMap,
  Device,
  DeviceProfile,
  KubeObject,
  Pod,
  Secret,
  Twin,
} from '../../protocol/kubernetes.ts';
import { scopes } from '../../protocol/messages.ts';
import { decodeObject } from '../../protocol/object.ts';
import { parseKey } from '../../protocol/object-key.ts';
import type { Entry } from '../../protocol/section-content.ts';
import type { ReplicaSection, Sections } from '../../protocol/view-replica.ts';
import type { DesiredPod } from '../workloads/ports.ts';

/** How the keys of kinds that are read alone begin. */
const kindKeys = {
  node: 'Node/',
  twin: 'Twin.stile.dev/',
  action: 'Action.stile.dev/',
  device: 'Device.iot.openyurt.io/',
  profile: 'DeviceProfile.iot.openyurt.io/',
} as const;

export class ViewReader {
  /** Decoded once per entry; entries are replaced, never changed. */
  readonly #decoded = new WeakMap<Entry, KubeObject>();
  readonly #sections: Sections;

  constructor(sections: Sections) {
    this.#sections = sections;
  }

  /** Of the hub that told what `desiredPods` gives. */
  get incarnation(): string | undefined {
    return this.#nodeSection()?.incarnation;
  }

  /** Undefined while the hub has not yet told this node anything: then nothing may be stopped for lack of orders. */
  desiredPods(): DesiredPod[] | undefined {
    const section = this.#nodeSection();
    if (section === undefined) return undefined;
    const filesByNamespace = new Map<string, Map<string, ReadonlyMap<string, Uint8Array>>>();
    const pods: Pod[] = [];
    for (const entry of section.content.entries()) {
      const { kind, namespace, name } = parseKey(entry.key);
      if (kind === 'Pod') pods.push(this.#decode(entry) as Pod);
      else if (kind === 'ConfigMap' || kind === 'Secret') {
        const files = filesByNamespace.get(namespace) ?? new Map<string, ReadonlyMap<string, Uint8Array>>();
        filesByNamespace.set(namespace, files.set(`${kind}/${name}`, valuesOf(this.#decode(entry))));
      }
    }
    return pods.map((pod) => ({ pod, files: filesByNamespace.get(pod.metadata.namespace ?? '') ?? new Map() }));
  }

  /**
   * The twins of this node and its devices; undefined as for `desiredPods`, and while the view does not have the node
   * itself: one that was revoked is told nothing at all, and comes back to the very same twins.
   */
  twins(): Twin[] | undefined {
    return this.#all(kindKeys.node)?.length ? (this.#all(kindKeys.twin) as Twin[]) : undefined;
  }

  /** What the hub asks devices to do; undefined as for `desiredPods`. */
  actions(): Action[] | undefined {
    return this.#all(kindKeys.action) as Action[] | undefined;
  }

  /** The devices that this node drives, and their profiles; undefined as for `desiredPods`. */
  devices(): { devices: Device[]; profiles: DeviceProfile[] } | undefined {
    const devices = this.#all(kindKeys.device) as Device[] | undefined;
    return devices && { devices, profiles: (this.#all(kindKeys.profile) ?? []) as DeviceProfile[] };
  }

  #all(prefix: string): KubeObject[] | undefined {
    const section = this.#nodeSection();
    if (section === undefined) return undefined;
    const entries = [...section.content.entries()].filter(({ key }) => key.startsWith(prefix));
    return entries.map((entry) => this.#decode(entry));
  }

  /** Only a section whose content was received whole counts. */
  #nodeSection(): ReplicaSection | undefined {
    for (const section of this.#sections.values())
      if (section.scope === scopes.node && section.incarnation !== '') return section;
    return undefined;
  }

  #decode(entry: Entry): KubeObject {
    let object = this.#decoded.get(entry);
    if (object === undefined) {
      object = decodeObject(entry.bytes);
      this.#decoded.set(entry, object);
    }
    return object;
  }
}

function valuesOf(object: KubeObject): ReadonlyMap<string, Uint8Array> {
  const values = new Map<string, Uint8Array>();
  if (object.kind === 'ConfigMap') {
    const { data, binaryData } = object as ConfigMap;
    for (const [key, value] of Object.entries(data ?? {})) values.set(key, new TextEncoder().encode(value));
    for (const [key, value] of Object.entries(binaryData ?? {})) values.set(key, Buffer.from(value, 'base64'));
  } else
    for (const [key, value] of Object.entries((object as Secret).data ?? {}))
      values.set(key, Buffer.from(value, 'base64'));
  return values;
}
