/** What the runtime's main script does with its hidden sub-command, alone. */
import { runJs } from '../../../runtime/main-js.ts';

const [, , , entry = '', ...args] = process.argv;
await runJs(entry, args);
