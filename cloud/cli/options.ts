/** Options that several commands share, and the reading of their values. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { AppError } from '../../protocol/errors.ts';
import { type CustomOutput, parseCustomOutput } from './custom-output.ts';
import { parseDuration } from './duration.ts';
import { type Output, outputs } from './print.ts';

/** How long an answer may take to begin without `--request-timeout`. */
const REQUEST_TIMEOUT_DEFAULT = '30s';

/** On the program, so that they may stand before or after the verb, as with kubectl. */
export function addConnectionOptions(program: Command): void {
  program
    .option('--kubeconfig <file>', 'the kubeconfig to use instead of KUBECONFIG or ~/.kube/config')
    .option('--context <name>', 'the context of the kubeconfig')
    .option('-n, --namespace <name>', 'the namespace, instead of that of the context')
    .addOption(
      durationOption('--request-timeout <duration>', 'until an answer must have begun', REQUEST_TIMEOUT_DEFAULT),
    );
}

/** A duration; the value has milliseconds. */
export function durationOption(flags: string, description: string, defaultText: string): Option {
  const name = flags.split(' ')[0]!;
  return new Option(flags, description)
    .argParser((text) => parseDuration(text, name))
    .default(parseDuration(defaultText, name), defaultText);
}

export function outputOption(choices: readonly Output[] = outputs): Option {
  return new Option('-o, --output <format>', 'what is printed').choices([...choices]).default('table');
}

/** Also a template or columns in the user's words. */
export function objectOutputOption(): Option {
  return new Option(
    '-o, --output <format>',
    `what is printed: ${outputs.join(', ')}, jsonpath=TEMPLATE or custom-columns=NAME:.path,...`,
  )
    .argParser((text): Output | CustomOutput => {
      const output = outputs.find((word) => word === text) ?? parseCustomOutput(text);
      if (output !== undefined) return output;
      throw new InvalidArgumentError(
        `Allowed choices are ${outputs.join(', ')}, jsonpath=TEMPLATE, custom-columns=NAME:.path,...`,
      );
    })
    .default('table');
}

/** May be given several times. */
export function repeatedOption(flags: string, description: string): Option {
  return new Option(flags, description)
    .argParser((text, previous: string[]) => [...previous, text])
    .default([], 'none');
}

/** Words of a command: the option repeated, or one JSON list. Undefined when absent. */
export function wordsOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text, previous: string[] = []) => [...previous, ...wordsOf(text)]);
}

function wordsOf(text: string): string[] {
  if (!text.startsWith('[')) return [text];
  try {
    const words: unknown = JSON.parse(text);
    if (Array.isArray(words) && words.every((word) => typeof word === 'string')) return words;
  } catch {
    // Told below, as for JSON of another shape.
  }
  throw new InvalidArgumentError('write one word, or a JSON list such as ["node", "main.mjs"]');
}

/** `--wait=false`, `--wait` needs its value. */
export function truthOption(flags: string, description: string, defaultValue: boolean): Option {
  return new Option(flags, description)
    .argParser((text) => {
      if (text !== 'true' && text !== 'false') throw new InvalidArgumentError('write true or false');
      return text === 'true';
    })
    .default(defaultValue);
}

export function countOption(flags: string, description: string, min: number): Option {
  return new Option(flags, description).argParser((text) => {
    const count = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(count) || count < min)
      throw new InvalidArgumentError(`write a whole number from ${min}`);
    return count;
  });
}

/** Members whose names get the unit of their values, which a flag does not name. */
const unitNames: Record<string, string> = {
  since: 'sinceMs',
  requestTimeout: 'requestTimeoutMs',
  timeout: 'timeoutMs',
  ttl: 'ttlMs',
  gracePeriod: 'gracePeriodSeconds',
};

/** The command's options with those of the program. The caller names the type that the command's flags make. */
export function optionsOf<T>(command: Command): T {
  const entries = Object.entries(command.optsWithGlobals()).map(([name, value]) => [unitNames[name] ?? name, value]);
  return Object.fromEntries(entries) as T;
}

/** Commander's own faults, told as ours. */
export function usageError(error: { message: string; code: string }): AppError {
  const sentence = error.message.replace(/^error: /, '').replace(/\.$/, '');
  return new AppError('E_USAGE', `${sentence}; --help shows what can be written`, { details: { fault: error.code } });
}
