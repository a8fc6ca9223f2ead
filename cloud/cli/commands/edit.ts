/** `stile edit`: an object in the user's own editor, as often as the server refuses what came of it. */
import { AppError, type ErrorCode } from '../../../protocol/errors.ts';
import type { KubeObject } from '../../../protocol/kubernetes.ts';
import { mergePatchMediaType } from '../../../protocol/merge-patch.ts';
import { getObject } from '../listing.ts';
import { type EditPatch, editableText, patchOfEdit, rebasedText, withHead, withoutHead } from '../object-edit.ts';
import type { Connection, ConnectionOptions, Draft, World } from '../ports.ts';
import { discover, pathOf, qualifiedName, type Resource } from '../resources.ts';
import { parseSubjects } from '../subjects.ts';

interface Edited {
  resource: Resource;
  namespace: string;
  name: string;
}

/** What a person can put right in the text; everything else ends the command. */
const refusals = new Set<ErrorCode>([
  'E_INPUT_INVALID',
  'E_POD_INVALID',
  'E_CONFLICT',
  'E_FORBIDDEN',
  'E_WIRE_TOO_LARGE',
]);

/** The text that could not be saved is kept, and named in the fault. */
export async function edit(world: World, args: readonly string[], options: ConnectionOptions): Promise<void> {
  const connection = await world.connect(options);
  const [subject, ...more] = parseSubjects(await discover(connection), args);
  if (more.length > 0 || subject!.names.length !== 1)
    throw new AppError('E_USAGE', 'edit takes one object: KIND NAME or KIND/NAME');
  const { resource, names } = subject!;
  const edited = { resource, namespace: options.namespace ?? connection.namespace, name: names[0]! };
  const object = await getObject(connection, resource, edited.namespace, edited.name);
  const draft = await world.editor.open(`${resource.singular}-${edited.name}.yaml`);
  let changed = false;
  try {
    changed = await editUntilSaved(connection, draft, edited, object);
  } catch (error) {
    throw await withKeptText(error, draft);
  }
  await draft.discard();
  if (changed) world.terminal.out(`${qualifiedName(resource, edited.name)} edited\n`);
  else world.terminal.tell('Edit cancelled, no changes made.');
}

/** False when nothing was changed. */
async function editUntilSaved(
  connection: Connection,
  draft: Draft,
  edited: Edited,
  object: KubeObject,
): Promise<boolean> {
  let base = object;
  let text = editableText(base);
  let refusal: AppError | undefined;
  for (;;) {
    const shown = withHead(text, refusal);
    const saved = await draft.revise(shown);
    text = withoutHead(saved);
    if (saved === shown || text.trim() === '') {
      if (refusal === undefined) return false;
      throw new AppError(refusal.code, `Edit cancelled, no valid changes were saved: ${refusal.message}`);
    }
    let patch: EditPatch | undefined;
    try {
      patch = patchOfEdit(base, text);
      if (patch !== undefined) await send(connection, edited, patch);
      return patch !== undefined;
    } catch (error) {
      if (!(error instanceof AppError) || !refusals.has(error.code)) throw error;
      refusal = error;
    }
    if (refusal.code !== 'E_CONFLICT' || patch === undefined) continue;
    base = await getObject(connection, edited.resource, edited.namespace, edited.name);
    text = rebasedText(patch, base);
  }
}

async function send(connection: Connection, { resource, namespace, name }: Edited, patch: EditPatch): Promise<void> {
  await connection.api({
    method: 'PATCH',
    path: pathOf(resource, namespace, name),
    query: { fieldManager: 'kubectl-edit', fieldValidation: 'Strict' },
    body: patch,
    contentType: mergePatchMediaType,
  });
}

/** Nothing is kept of a text that nobody has changed. */
async function withKeptText(error: unknown, draft: Draft): Promise<unknown> {
  if (!draft.changed) {
    await draft.discard();
    return error;
  }
  if (!(error instanceof AppError)) return error;
  const sentence = `${error.message}; your text is kept in ${draft.path}`;
  return new AppError(error.code, sentence, { details: error.details, cause: error });
}
