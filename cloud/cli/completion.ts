/** What can stand at the end of a command line, as far as the command line itself tells. Pure. */
import type { Command, Option } from 'commander';
import { outputs } from './print.ts';

/** What completes the last word: words that are known here, or kinds and names that only a server knows. */
export type Wish = { prefix: string } & ({ words: readonly string[] } | { kinds: true } | { namesOf: string });

export interface Completion {
  /** The last word, perhaps empty. */
  current: string;
  wish: Wish;
  /** Connection options that were given before it, by their long names. */
  connection: { kubeconfig?: string; context?: string; namespace?: string };
}

/** `words`: all that follows `stile`; the last one is the one to complete. */
export function completionOf(program: Command, words: readonly string[]): Completion {
  const current = words.at(-1) ?? '';
  const walk = walkOver(program, words.slice(0, -1));
  const wish = wishOf(program, walk, current);
  const { kubeconfig, context, namespace } = walk.values;
  return {
    current,
    wish,
    connection: {
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
      ...(context === undefined ? {} : { context }),
      ...(namespace === undefined ? {} : { namespace }),
    },
  };
}

/** Commands whose first argument is a kind or KIND/NAME, and whose others are names. */
const objectVerbs = new Set(['get', 'describe', 'delete', 'watch', 'wait', 'edit']);

/** Nouns whose verbs take names of one kind. */
const kindOfNoun: Record<string, string> = { node: 'nodes', pool: 'nodepools', twin: 'twins' };

/** Values of options that have no fixed choices. Kinds are those of the hub. */
const valueWishes: Record<string, { words: readonly string[] } | { namesOf: string }> = {
  '--namespace': { namesOf: 'namespaces' },
  '--pool': { namesOf: 'nodepools' },
  '--node': { namesOf: 'nodes' },
  '--for': { words: ['condition=', 'delete', 'jsonpath='] },
  '--output': { words: [...outputs, 'jsonpath=', 'custom-columns='] },
};

interface Walk {
  /** From the program to the innermost command named. */
  path: Command[];
  /** Arguments of that command. */
  args: string[];
  /** An option that waits for its value. */
  open: Option | undefined;
  /** Values of options, by their long names without dashes. */
  values: Record<string, string>;
  /** After `--` nothing is an option. */
  literal: boolean;
}

function walkOver(program: Command, words: readonly string[]): Walk {
  const walk: Walk = { path: [program], args: [], open: undefined, values: {}, literal: false };
  for (const word of words) {
    if (walk.open !== undefined) {
      walk.values[walk.open.name()] = word;
      walk.open = undefined;
    } else if (walk.literal || !word.startsWith('-') || word === '-') stepInto(walk, word);
    else if (word === '--') walk.literal = true;
    else {
      const { flag, value } = partsOf(word);
      const option = findOption(walk.path, flag);
      if (option?.required && value === undefined) walk.open = option;
      else if (option !== undefined && value !== undefined) walk.values[option.name()] = value;
    }
  }
  return walk;
}

function stepInto(walk: Walk, word: string): void {
  const inner = walk.args.length === 0 ? walk.path.at(-1)!.commands.find((one) => one.name() === word) : undefined;
  if (inner === undefined) walk.args.push(word);
  else walk.path.push(inner);
}

function wishOf(program: Command, walk: Walk, current: string): Wish {
  if (walk.open !== undefined) return { prefix: '', ...valuesOf(walk.open) };
  if (!walk.literal && current.startsWith('-')) {
    const { flag, value } = partsOf(current);
    const option = findOption(walk.path, flag);
    if (value === undefined) return { prefix: '', words: flagsOf(walk.path) };
    return { prefix: `${flag}=`, ...(option === undefined ? { words: [] } : valuesOf(option)) };
  }
  const command = walk.path.at(-1)!;
  if (command.commands.length > 0) {
    const words = walk.args.length > 0 ? [] : command.commands.map((one) => one.name());
    return { prefix: '', words: words.filter((name) => !name.startsWith('_')) };
  }
  return argumentWish(program, command, walk.args, current);
}

function argumentWish(program: Command, command: Command, args: readonly string[], current: string): Wish {
  const verb = command.name();
  if (command.parent === program && objectVerbs.has(verb)) return objectWish(args, current);
  const choices = command.registeredArguments[args.length]?.argChoices;
  if (choices !== undefined) return { prefix: '', words: choices };
  const kind = command.parent === program ? undefined : kindOfNoun[command.parent!.name()];
  const [first] = command.registeredArguments;
  // `pool create NAME` names what is not there yet; `twin set TWIN PATH=VALUE...` begins with a name.
  const takesName = verb !== 'create' && first !== undefined && (args.length === 0 || /^name$/.test(first.name()));
  if (kind !== undefined && takesName && (args.length === 0 || first.variadic)) return { prefix: '', namesOf: kind };
  return { prefix: '', words: [] };
}

function objectWish([kind]: readonly string[], current: string): Wish {
  const slash = current.indexOf('/');
  if (slash > 0) return { prefix: current.slice(0, slash + 1), namesOf: current.slice(0, slash) };
  if (kind === undefined) return { prefix: '', kinds: true };
  return kind.includes('/') ? { prefix: '', kinds: true } : { prefix: '', namesOf: kind };
}

function valuesOf(option: Option): { words: readonly string[] } | { namesOf: string } {
  if (option.argChoices !== undefined) return { words: option.argChoices };
  return valueWishes[option.long ?? ''] ?? { words: [] };
}

function flagsOf(path: readonly Command[]): string[] {
  return path.flatMap((command) => command.options).flatMap((option) => (option.long ? [option.long] : []));
}

function findOption(path: readonly Command[], flag: string): Option | undefined {
  return path.flatMap((command) => command.options).find((option) => option.long === flag || option.short === flag);
}

function partsOf(word: string): { flag: string; value: string | undefined } {
  const at = word.startsWith('--') ? word.indexOf('=') : -1;
  return at < 0 ? { flag: word, value: undefined } : { flag: word.slice(0, at), value: word.slice(at + 1) };
}
