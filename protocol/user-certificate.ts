/** What `stile user create` and the hub say to each other: the key of a user is made by the program and stays there. */
import { AppError } from './errors.ts';

export const userRoles = ['admin', 'operator', 'viewer'] as const;
export type UserRole = (typeof userRoles)[number];

export const userDaysDefault = 365;
export const userDaysMax = 5 * 365;
export const userPoolsMax = 1_000;
/** Bytes of one request. */
export const userBodyBytesMax = 512 * 1024;

export interface UserRequest {
  name: string;
  role: UserRole;
  /** An operator of these pools alone; absent: of all. */
  pools?: string[];
  /** How long the certificate is good. */
  days?: number;
  /** SubjectPublicKeyInfo (DER) of a P-256 key, base64. */
  publicKey: string;
  /** ECDSA with SHA-256 (DER) over `userProofText`, base64. */
  proof: string;
}

export interface UserAnswer {
  name: string;
  /** PEM. */
  certificate: string;
  /** PEM. */
  ca: string;
  /** RFC 3339. */
  expires: string;
}

/** The text that `proof` signs. The first line keeps the signature from meaning anything elsewhere. */
export function userProofText(name: string, publicKey: string): string {
  return `stile user 1\n${name}\n${publicKey}\n`;
}

/** Lower-case letters, digits, `.`, `_`, `@` and `-`: no colon, so that nobody is called as the system's own are. */
const namePattern = /^[a-z0-9]([-a-z0-9._@]{0,61}[a-z0-9])?$/;
/** Names that would read as if they were the hub's own. */
const takenNames: ReadonlySet<string> = new Set(['stile-admin', 'system', 'node', 'nodes']);

/** Errors: `E_INPUT_INVALID`. */
export function checkUserName(name: string): void {
  if (!namePattern.test(name))
    throw new AppError(
      'E_INPUT_INVALID',
      `${JSON.stringify(name.slice(0, 64))} cannot be a user's name: use 1 to 63 lower-case letters, digits, "-", ".", "_" and "@", beginning and ending with a letter or digit`,
    );
  if (takenNames.has(name)) throw new AppError('E_INPUT_INVALID', `the name ${name} is the hub's own: choose another`);
}

/** Also the name of somebody whose certificate was signed by hand may be revoked. Errors: `E_INPUT_INVALID`. */
export function checkRevokedName(name: string): void {
  if (name.length >= 1 && name.length <= 253 && !name.startsWith('system:') && !takenNames.has(name)) return;
  throw new AppError(
    'E_INPUT_INVALID',
    `${JSON.stringify(name.slice(0, 64))} is no user that can be revoked: see "stile user list"`,
  );
}

/** The shape, and what needs no hub to be known. Errors: `E_INPUT_INVALID`. */
export function readUserRequest(body: unknown): UserRequest {
  const { name, role, pools, days, publicKey, proof } = (body ?? {}) as Record<string, unknown>;
  if (typeof name !== 'string' || !isKeyText(publicKey) || !isKeyText(proof))
    throw new AppError(
      'E_INPUT_INVALID',
      'a user is {"name", "role", "pools"?, "days"?, "publicKey", "proof"}: use stile user create',
    );
  checkUserName(name);
  const wish: UserRequest = { name, role: roleOf(role), publicKey, proof };
  if (days !== undefined) wish.days = daysOf(days);
  if (pools !== undefined) wish.pools = poolsOf(pools, wish.role);
  return wish;
}

function isKeyText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 1_024;
}

function roleOf(role: unknown): UserRole {
  const found = userRoles.find((known) => known === role);
  if (found !== undefined) return found;
  throw new AppError('E_INPUT_INVALID', `a user's role is one of ${userRoles.join(', ')}`);
}

function daysOf(days: unknown): number {
  if (Number.isInteger(days) && (days as number) >= 1 && (days as number) <= userDaysMax) return days as number;
  throw new AppError('E_INPUT_INVALID', `a user's certificate is good for 1 to ${userDaysMax} days`);
}

function poolsOf(pools: unknown, role: UserRole): string[] {
  if (role !== 'operator')
    throw new AppError('E_INPUT_INVALID', `pools are for the role operator: the role ${role} is for the whole fleet`);
  const right =
    Array.isArray(pools) &&
    pools.length > 0 &&
    pools.length <= userPoolsMax &&
    pools.every((pool) => typeof pool === 'string' && /^[-a-z0-9.]{1,253}$/.test(pool));
  if (!right) throw new AppError('E_INPUT_INVALID', `pools are 1 to ${userPoolsMax} names of NodePools`);
  return [...new Set(pools as string[])];
}
