/** What the arguments of get, describe and delete name: `KIND[,KIND] [NAME...]` or `KIND/NAME...`. */
import { AppError } from '../../protocol/errors.ts';
import { type Resource, resolveKind, resolveKinds } from './resources.ts';

export interface Subject {
  resource: Resource;
  /** Empty: all of the kind. */
  names: string[];
}

/** Pure. `E_USAGE` for a mix of both forms or for names behind several kinds. */
export function parseSubjects(resources: readonly Resource[], args: readonly string[]): Subject[] {
  const [first, ...rest] = args;
  if (first === undefined) throw new AppError('E_USAGE', 'name a kind, e.g. `pods`, or KIND/NAME');
  if (args.some((arg) => arg.includes('/'))) return args.map((arg) => parsePair(resources, arg));
  const kinds = first.split(',').filter((word) => word !== '');
  if (kinds.length === 0) throw new AppError('E_USAGE', `${first} names no kind`);
  const found = kinds.flatMap((word) => resolveKinds(resources, word));
  if (rest.length > 0 && found.length > 1)
    throw new AppError('E_USAGE', 'names can follow one kind only: write KIND/NAME for objects of several kinds');
  return found.map((resource) => ({ resource, names: rest }));
}

function parsePair(resources: readonly Resource[], arg: string): Subject {
  const [kind, name, ...more] = arg.split('/');
  if (!kind || !name || more.length > 0)
    throw new AppError('E_USAGE', `${arg}: where one argument is KIND/NAME, all must be`);
  return { resource: resolveKind(resources, kind), names: [name] };
}
