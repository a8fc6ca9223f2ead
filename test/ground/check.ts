/**
 * Checks the ground rules over the whole project: layers, packages, what only adapters may touch, sizes, unfinished
 * work. `node test/ground/check.ts` prints the findings and exits with 1 when there are any.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import {
  adapters,
  bans,
  computedImports,
  type Exception,
  environmentReaders,
  FILE_LINES_MAX,
  FUNCTION_LINES_MAX,
  layers,
  longFiles,
  measuredPrefixes,
  packages,
  processMembers,
  pureBuiltins,
  worldlyPackages,
} from './rules.ts';
import { functionsOf, type Import, importsOf, lineCounter, maskSource } from './source.ts';

export interface Finding {
  path: string;
  line: number;
  message: string;
}

export interface SourceFile {
  /** From the project's root, with slashes. */
  path: string;
  text: string;
}

/** All findings of these files, and the exceptions that none of them needs. */
export function checkProject(files: readonly SourceFile[]): Finding[] {
  const used = new Set<Exception>();
  const findings = files.flatMap((file) => checkFile(file, used));
  for (const [table, rows] of Object.entries({ adapters, computedImports, environmentReaders, longFiles }))
    for (const row of rows)
      if (!used.has(row) && files.some((file) => covers(row, file.path)))
        findings.push({
          path: 'test/ground/rules.ts',
          line: 1,
          message: `${table}: nothing needs the row ${row.path}`,
        });
  return findings;
}

/** `used` collects the exceptions without which there would be more findings. */
export function checkFile(file: SourceFile, used: Set<Exception> = new Set()): Finding[] {
  const masked = maskSource(file.text);
  const imports = importsOf(file.text, masked);
  return [
    ...checkLayers(file, imports),
    ...excuse(computedImports, used, checkComputedImports(file, imports)),
    ...excuse(adapters, used, [...checkWorldlyImports(file, imports), ...checkBans(file, masked)]),
    ...excuse(environmentReaders, used, checkEnvironment(file, masked)),
    ...excuse(longFiles, used, checkFileSize(file)),
    ...checkFunctionSizes(file, masked),
    ...checkUnfinished(file, masked),
  ];
}

/** The project's own TypeScript files. */
export function readProject(root: string): SourceFile[] {
  const folders = [...new Set(layers.map((layer) => layer.prefix.split('/')[0]!))];
  return folders
    .flatMap((folder) => readdirSync(posix.join(root, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && /\.(?:ts|mts|mjs|js)$/.test(entry.name))
    .map((entry) => posix.relative(root, posix.join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes('node_modules/'))
    .sort()
    .map((path) => ({ path, text: readFileSync(posix.join(root, path), 'utf8') }));
}

function checkLayers(file: SourceFile, imports: readonly Import[]): Finding[] {
  const layer = layers.find(({ prefix }) => file.path.startsWith(prefix));
  if (layer === undefined) return [{ path: file.path, line: 1, message: 'belongs to no layer' }];
  const messageFor = ({ specifier }: Import): string | undefined => {
    if (specifier === undefined) return undefined;
    if (isBuiltin(specifier))
      return specifier.startsWith('node:') ? undefined : `imports ${specifier}: say node:${specifier}`;
    if (!specifier.startsWith('.')) return packageMessage(file.path, specifier);
    const target = resolved(file.path, specifier);
    const allowed = layer.prefix === layerOf(target) || layer.imports.some((prefix) => target.startsWith(prefix));
    return allowed ? undefined : `imports ${target}: ${layer.prefix} may import ${listed(layer.imports)}`;
  };
  return found(file, imports, messageFor);
}

function checkComputedImports(file: SourceFile, imports: readonly Import[]): Finding[] {
  return found(file, imports, ({ specifier }) =>
    specifier === undefined ? 'imports a computed path: a bundler cannot follow it' : undefined,
  );
}

function packageMessage(path: string, specifier: string): string | undefined {
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  const places = packages[name];
  if (places === undefined) return `imports ${name}, which the table of packages does not have`;
  return places.some((prefix) => path.startsWith(prefix))
    ? undefined
    : `imports ${name}, which belongs to ${listed(places)}`;
}

/** Node's modules and packages that reach into the world, at run time. */
function checkWorldlyImports(file: SourceFile, imports: readonly Import[]): Finding[] {
  if (isTest(file.path)) return [];
  return found(file, imports, ({ specifier, typeOnly, names }) => {
    if (typeOnly || specifier === undefined) return undefined;
    if (specifier.startsWith('.')) {
      const target = resolved(file.path, specifier);
      return target.startsWith('protocol/node/') ? `imports ${target}: only adapters and mains may` : undefined;
    }
    if (worldlyPackages.has(specifier)) return `imports ${specifier}: only adapters may`;
    if (!isBuiltin(specifier)) return undefined;
    const pure = pureBuiltins[specifier.replace(/^node:/, '')] ?? [];
    if (pure === 'all') return undefined;
    const impure = names.filter((name) => !pure.includes(name));
    if (impure.length === 0 && names.length > 0) return undefined;
    return `imports ${listed(impure)} from ${specifier}: only adapters may`;
  });
}

function checkBans(file: SourceFile, masked: string): Finding[] {
  if (isTest(file.path)) return [];
  const findings = bans.flatMap(({ pattern, what, instead }) =>
    matches(file, masked, pattern, () => `uses ${what}: take ${instead}`),
  );
  if (!declaresProcess(masked))
    findings.push(...matches(file, masked, processMembers, (text) => `uses ${text}: only adapters may`));
  return findings;
}

function checkEnvironment(file: SourceFile, masked: string): Finding[] {
  if (isTest(file.path)) return [];
  return matches(file, masked, /(?<![\w$.])process\s*\.\s*env\b/g, () => 'reads process.env: only the mains may');
}

function checkFileSize(file: SourceFile): Finding[] {
  if (!isMeasured(file.path)) return [];
  const lines = file.text.split('\n').length - 1;
  const message = `has ${lines} lines, at most ${FILE_LINES_MAX} are read with pleasure: split it by its nouns`;
  return lines > FILE_LINES_MAX ? [{ path: file.path, line: 1, message }] : [];
}

function checkFunctionSizes(file: SourceFile, masked: string): Finding[] {
  if (!isMeasured(file.path)) return [];
  return functionsOf(masked)
    .filter(({ lines }) => lines > FUNCTION_LINES_MAX)
    .map(({ name, line, lines }) => ({
      path: file.path,
      line,
      message: `${name} has ${lines} lines, at most ${FUNCTION_LINES_MAX} fit on a screen`,
    }));
}

function checkUnfinished(file: SourceFile, masked: string): Finding[] {
  return [
    ...matches(file, file.text, unfinishedWord, (text) => `says ${text}: finish it`),
    ...matches(file, masked, /\b(?:it|test|describe)\s*\.\s*(?:skip|only|todo|fails)\b/g, (text) => `uses ${text}`),
  ];
}

/** Put together so that this file does not find itself. */
const unfinishedWord = new RegExp(`\\b(?:${['TO', 'DO'].join('')}|${['FIX', 'ME'].join('')})\\b`, 'g');

function excuse(exceptions: readonly Exception[], used: Set<Exception>, findings: Finding[]): Finding[] {
  return findings.filter((finding) => {
    const row = exceptions.find((exception) => covers(exception, finding.path));
    if (row !== undefined) used.add(row);
    return row === undefined;
  });
}

function covers(exception: Exception, path: string): boolean {
  return exception.path.endsWith('/') ? path.startsWith(exception.path) : path === exception.path;
}

function found(
  file: SourceFile,
  imports: readonly Import[],
  messageFor: (item: Import) => string | undefined,
): Finding[] {
  return imports.flatMap((item) => {
    const message = messageFor(item);
    return message === undefined ? [] : [{ path: file.path, line: item.line, message }];
  });
}

function matches(file: SourceFile, text: string, pattern: RegExp, messageFor: (text: string) => string): Finding[] {
  const line = lineCounter(text);
  return [...text.matchAll(pattern)].map((match) => ({
    path: file.path,
    line: line(match.index),
    message: messageFor(match[0].replace(/\s+/g, '')),
  }));
}

/** A parameter, a local or a destructured `process`. */
function declaresProcess(masked: string): boolean {
  return /\b(?:const|let|var)\s+(?:\{[^{}]*\b)?process\b|[({,]\s*process\s*[?:,})]/.test(masked);
}

function resolved(path: string, specifier: string): string {
  return posix.join(posix.dirname(path), specifier);
}

function layerOf(path: string): string | undefined {
  return layers.find(({ prefix }) => path.startsWith(prefix))?.prefix;
}

function isBuiltin(specifier: string): boolean {
  return specifier.startsWith('node:') || builtinModules.includes(specifier);
}

function isTest(path: string): boolean {
  return path.startsWith('test/');
}

function isMeasured(path: string): boolean {
  return measuredPrefixes.some((prefix) => path.startsWith(prefix)) && !path.endsWith('.gen.ts');
}

function listed(items: readonly string[]): string {
  return items.length === 0 ? 'nothing of the others' : items.join(', ');
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const findings = checkProject(readProject(fileURLToPath(new URL('../..', import.meta.url))));
  for (const { path, line, message } of findings) process.stdout.write(`${path}:${line}: ${message}\n`);
  process.exitCode = findings.length > 0 ? 1 : 0;
}
