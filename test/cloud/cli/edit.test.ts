/** `stile edit`: what is shown, what is sent, and that no text of a person is lost. */
import { readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { editableText, patchOfEdit, rebasedText, withHead, withoutHead } from '../../../cloud/cli/object-edit.ts';
import type { Editor } from '../../../cloud/cli/ports.ts';
import { AppError } from '../../../protocol/errors.ts';
import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { CommandLine, configMap } from './command-line.ts';
import { runHere } from './same-process.ts';

const object = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a', resourceVersion: '7', managedFields: [{ manager: 'x' }] },
  data: { when: '2026-11-23', mode: '0644', yes: 'on', text: '# not a comment\nline\n' },
  status: { noise: true },
} as unknown as KubeObject;

describe('the text of an object', () => {
  it('has neither managed fields nor status, and read again is no change', () => {
    const text = editableText(object);
    expect(text).not.toMatch(/managedFields|status|noise/);
    expect(patchOfEdit(object, withoutHead(withHead(text, new AppError('E_CONFLICT', 'one\ntwo'))))).toBeUndefined();
  });

  it('becomes a patch of what was changed alone, which holds for one revision', () => {
    const text = editableText(object)
      .replace('"on"', '"off"')
      .replace(/^ {2}mode.*\n/m, '');
    const patch = patchOfEdit(object, text)!;
    expect(patch).toEqual({ metadata: { resourceVersion: '7' }, data: { yes: 'off', mode: null } });
    const fresh = {
      ...object,
      metadata: { name: 'a', resourceVersion: '9' },
      data: { mode: '1', other: '2' },
    } as KubeObject;
    expect(patchOfEdit(fresh, rebasedText(patch, fresh))).toEqual({
      metadata: { resourceVersion: '9' },
      data: { yes: 'off', mode: null },
    });
  });

  it('must stay the same object', () => {
    for (const text of [
      editableText(object).replace('name: a', 'name: b'),
      editableText(object).replace('ConfigMap', 'Secret'),
      `${editableText(object)}---\n${editableText(object)}`,
      'a: [',
    ])
      expect(() => patchOfEdit(object, text)).toThrow(expect.objectContaining({ code: 'E_INPUT_INVALID' }));
  });
});

describe('against a hub', () => {
  let line: CommandLine;
  beforeAll(async () => {
    line = await CommandLine.start();
  });
  afterAll(() => line?.stop());

  /** A person who makes one change after the other; what was shown to them is kept. */
  function person(...changes: ((text: string) => string | Promise<string>)[]) {
    const shown: string[] = [];
    const discarded: string[] = [];
    const editor: Editor = {
      open: async (name) => {
        const draft = {
          path: `/drafts/${name}`,
          changed: false,
          async revise(text: string) {
            shown.push(text);
            const saved = await (changes.shift() ?? ((same: string) => same))(text);
            draft.changed ||= saved !== text;
            return saved;
          },
          discard: async () => void discarded.push(name),
        };
        return draft;
      },
    };
    return { editor, shown, discarded };
  }
  const edit = (editor: Editor, ...args: string[]) => runHere(line.kubeconfig, ['edit', ...args], { editor });
  const dataOf = async (name: string) => JSON.parse(await line.ok(['get', 'cm', name, '-o', 'json'])).data;

  it('saves what was changed, and cancels what was not', async () => {
    await line.apply(configMap('plain', { a: '1', b: '1' }));
    const changing = person((text) => text.replace('a: "1"', 'a: "2"'));
    expect(await edit(changing.editor, 'cm', 'plain')).toEqual({
      code: 0,
      stdout: 'configmap/plain edited\n',
      stderr: '',
    });
    expect(await dataOf('plain')).toEqual({ a: '2', b: '1' });
    expect(changing.discarded).toEqual(['configmap-plain.yaml']);
    for (const idle of [person(), person(() => ''), person((text) => `${text}# a word\n`)])
      expect(await edit(idle.editor, 'cm/plain')).toEqual({
        code: 0,
        stdout: '',
        stderr: 'Edit cancelled, no changes made.\n',
      });
  });

  it('opens again with the reason of a refusal, until it is put right', async () => {
    await line.apply(configMap('strict', { a: '1' }));
    const people = person(
      (text) => text.replace('a: "1"', 'a: [1'),
      (text) => text.replace('a: [1', 'a: [1]'),
      (text) => text.replace('a: [1]', 'a: "3"'),
    );
    expect(await edit(people.editor, 'cm', 'strict')).toMatchObject({ code: 0, stdout: 'configmap/strict edited\n' });
    expect(people.shown[1]).toMatch(/^#.*\n(#.*\n)*# It was not saved:\n# .*not valid YAML[^\n]*\n#\napiVersion/);
    expect(people.shown[2]).toMatch(/# It was not saved:\n# .*data/);
    expect(await dataOf('strict')).toEqual({ a: '3' });
  });

  it('lays the edit on top of what somebody wrote meanwhile, and sends it when that was looked at', async () => {
    await line.apply(configMap('shared', { a: '1', b: '1' }));
    const people = person(
      async (text) => {
        await line.apply(configMap('shared', { a: '1', b: '9' }));
        return text.replace('a: "1"', 'a: "2"');
      },
      (text) => text.replace(/^# Below are your changes.*\n/m, ''),
    );
    expect(await edit(people.editor, 'cm', 'shared')).toMatchObject({ code: 0 });
    expect(people.shown[1]).toContain('because somebody changed the object meanwhile');
    expect(await dataOf('shared')).toEqual({ a: '2', b: '9' });
  });

  it('keeps the text that could not be saved and says where', async () => {
    const people = person((text) => text.replace('a: ', 'a: ['));
    await line.apply(configMap('kept', { a: '1' }));
    const { code, stdout, stderr } = await edit(people.editor, 'cm', 'kept');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^error: Edit cancelled, no valid changes were saved: .*your text is kept in \/drafts\/configmap-kept.yaml/,
    );
    expect(people.discarded).toEqual([]);
    expect(await edit(people.editor, 'cm')).toMatchObject({ code: 2 });
    expect(await edit(people.editor, 'cm', 'nobody')).toMatchObject({ code: 1 });
  });

  it('starts the editor that the environment names, on a file for this user alone', async () => {
    await line.apply(configMap('real', { a: '1' }));
    const KUBE_EDITOR = `sed -i 's/a: "1"/a: "2"/'`;
    const saved = await line.run(['edit', 'cm', 'real'], { env: { KUBE_EDITOR, EDITOR: 'false' } });
    expect(saved).toMatchObject({ code: 0, stdout: 'configmap/real edited\n' });
    expect(await dataOf('real')).toEqual({ a: '2' });
    const broken = await line.run(['edit', 'cm', 'real'], { env: { EDITOR: `sed -i 's/a: "2"/a: [/'` } });
    expect(broken.code).toBe(1);
    const path = /kept in (\S+)/.exec(broken.stderr)![1]!;
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, 'utf8')).toMatch(/a: \[/);
    await rm(dirname(path), { recursive: true });
    const failing = await line.run(['edit', 'cm', 'real'], { env: { EDITOR: 'false' } });
    expect(failing).toMatchObject({ code: 1, stderr: expect.stringMatching(/the editor false ended with 1/) });
  });
});
