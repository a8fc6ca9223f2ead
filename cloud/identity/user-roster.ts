/**
 * The certificates of users, in memory: asked at every request, because a connection and a resumed TLS session prove
 * only what was true when they were made.
 */
import type { UserCertificate, UserStore } from './user-store.ts';

export class UserRoster {
  readonly #bySerial = new Map<string, UserCertificate>();
  readonly #revokedNames = new Set<string>();

  static async load(store: Pick<UserStore, 'certificates' | 'revokedNames'>): Promise<UserRoster> {
    const roster = new UserRoster();
    for (const certificate of await store.certificates()) roster.#bySerial.set(certificate.serial, certificate);
    for (const user of await store.revokedNames()) roster.#revokedNames.add(user);
    return roster;
  }

  /**
   * Whether a certificate of our authority counts, its dates aside. One that is not on the list (the administrator's, one
   * that was signed by hand, one of after the backup from which this hub was restored) does until its name is revoked.
   */
  counts(user: string, serial: string): boolean {
    const known = this.#bySerial.get(serial);
    if (known !== undefined) return known.user === user && known.revokedMs === undefined;
    return !this.#revokedNames.has(user);
  }

  issued(certificate: UserCertificate): void {
    const before = this.current(certificate.user);
    if (before !== undefined) this.#bySerial.delete(before.serial);
    this.#bySerial.set(certificate.serial, certificate);
  }

  revoked(user: string, nowMs: number): void {
    const current = this.current(user);
    if (current !== undefined) this.#bySerial.set(current.serial, { ...current, revokedMs: nowMs });
    this.#revokedNames.add(user);
  }

  /** The certificate of that name that is not revoked; it may have ended. */
  current(user: string): UserCertificate | undefined {
    return this.certificates().find((one) => one.user === user && one.revokedMs === undefined);
  }

  /** Of all users, revoked ones too, by name and then as they were issued. */
  certificates(): UserCertificate[] {
    return [...this.#bySerial.values()].sort((one, other) =>
      one.user === other.user ? one.issuedMs - other.issuedMs : one.user < other.user ? -1 : 1,
    );
  }

  isRevoked(user: string): boolean {
    return this.#revokedNames.has(user);
  }

  /** Names and certificates that are kept. */
  get size(): number {
    return this.#bySerial.size + this.#revokedNames.size;
  }
}
