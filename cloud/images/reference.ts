/** How images are named: `NAME`, `NAME:TAG`, `NAME@sha256:…`, as in a pod's `image`. Pure. */
import { AppError } from '../../protocol/errors.ts';
import { isDigest } from '../../protocol/image.ts';

export interface Reference {
  /** With a registry's host in front when one was named. */
  name: string;
  tag: string;
  /** Wins over the tag. */
  digest?: string;
}

const REFERENCE_CHARACTERS_MAX = 512;
/** What Docker adds in front of a bare name; every other registry stays part of the name. */
const impliedPrefixes = ['docker.io/library/', 'index.docker.io/library/', 'docker.io/', 'index.docker.io/'];

/** Errors: `E_INPUT_INVALID`. */
export function parseReference(text: string): Reference {
  const [, path, tag, digest] = /^([^@]+?)(?::([^:/@]+))?(?:@(.+))?$/.exec(text) ?? [];
  const component = '[a-z0-9]+(?:(?:\\.|_{1,2}|-+)[a-z0-9]+)*';
  const host = '[A-Za-z0-9.-]+(?::[0-9]+)?/';
  const right =
    text.length <= REFERENCE_CHARACTERS_MAX &&
    path !== undefined &&
    new RegExp(`^(?:${host})?${component}(?:/${component})*$`).test(path) &&
    (tag === undefined || /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(tag)) &&
    (digest === undefined || isDigest(digest));
  if (!right)
    throw new AppError(
      'E_INPUT_INVALID',
      `${JSON.stringify(text.slice(0, 100))} is no image name: use NAME:TAG in lower case, e.g. gate/app:1.0`,
    );
  const implied = impliedPrefixes.find((prefix) => path.startsWith(prefix));
  const name = implied === undefined ? path : path.slice(implied.length);
  return { name, tag: tag ?? 'latest', ...(digest === undefined ? {} : { digest }) };
}

/** `NAME:TAG`, the form in which tags are kept. */
export function formatTag(reference: Reference): string {
  return `${reference.name}:${reference.tag}`;
}
