/** Joins the parts of identity: who may come, how they get their certificates, what is decided about them. */
import type { Env } from '../../protocol/env.ts';
import type { NodeSigner } from './authority.ts';
import { identityEndpoints } from './endpoints.ts';
import { type EnrolmentPeers, Enrolments } from './enrolment.ts';
import type { IdentityStore } from './identity-store.ts';
import type { Listener } from './listener.ts';
import { nodeEndpoints } from './node-endpoints.ts';
import { NodeIdentities, type NodeIdentityPeers } from './node-identities.ts';
import type { Peers } from './peer.ts';
import { Renewals } from './renewal.ts';
import type { Roster } from './roster.ts';
import { Tokens } from './tokens.ts';

export interface IdentityDeskParts
  extends Pick<EnrolmentPeers, 'poolExists' | 'registerNode' | 'onReplaced' | 'destinations'>,
    Pick<NodeIdentityPeers, 'nodeExists' | 'onRevoked' | 'onSuspended' | 'onResumed' | 'relabel'> {
  authority: NodeSigner;
  store: IdentityStore;
  roster: Roster;
  peers: Peers;
  listener: Pick<Listener, 'handle' | 'dropRevoked'>;
}

export interface IdentityDesk {
  enrolments: Enrolments;
  tokens: Tokens;
  renewals: Renewals;
  identities: NodeIdentities;
  /** Resolves when what was begun is on the disk. */
  stop(): Promise<void>;
}

/** Opens the desk behind the listener. */
export function openIdentityDesk(env: Env, parts: IdentityDeskParts): IdentityDesk {
  const { authority, store, listener, poolExists, peers } = parts;
  const enrolments = new Enrolments(env, {
    ...parts,
    registerNode: async (registration) => {
      await parts.registerNode(registration);
      if (registration.replaced) await parts.onResumed(registration.name);
    },
  });
  const tokens = new Tokens(env, { store, caFingerprint: authority.fingerprint, poolExists });
  const renewals = new Renewals(env, { ...parts, dropRevoked: (node) => listener.dropRevoked(node) });
  const identities = new NodeIdentities(env, parts);
  listener.handle('/stile/v1/', identityEndpoints(env, { authorityPem: authority.certificatePem, enrolments, tokens }));
  listener.handle('/stile/v1/', nodeEndpoints(env, { peers, renewals, identities }));
  identities.remind();
  const stop = async () => {
    await renewals.stop();
    await identities.stop();
  };
  return { enrolments, tokens, renewals, identities, stop };
}
