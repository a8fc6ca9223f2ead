/** The twins as the local API uses them; `runtime/twins/` has them. */
import type { Twins } from '../twins/twins.ts';

export type TwinSource = Pick<Twins, 'list' | 'get' | 'patch' | 'put' | 'clear' | 'changes' | 'onChange'>;
