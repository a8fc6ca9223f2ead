/** The local API with devices behind it, whole lives of it: a real store, real sockets, simulated devices. */
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { afterEach } from 'vitest';
import type { Json } from '../../../protocol/kubernetes.ts';
import { systemClock } from '../../../protocol/node/clock.ts';
import { createLog } from '../../../protocol/node/log.ts';
import { systemRandom } from '../../../protocol/node/random.ts';
import { LocalApi } from '../../../runtime/local-api/local-api.ts';
import { thingsEndpoint } from '../../../runtime/local-api/things-endpoint.ts';
import { twinsEndpoint } from '../../../runtime/local-api/twins-endpoint.ts';
import { BARRIER, barrierProfile, device, end, type Life, NODE, resource, twin, useHouse } from '../devices/house.ts';

export const SCANNER = 'default.scanner-1';
const env = { clock: systemClock, random: systemRandom, log: createLog('silent') };

export const pods: ReadonlyMap<string, { namespace: string; name: string; annotations?: Record<string, string> }> =
  new Map([
    ['reader', { namespace: 'default', name: 'reader' }],
    ['keeper', { namespace: 'default', name: 'keeper', annotations: { 'stile.dev/twins': `${BARRIER}=get,invoke` } }],
  ]);

export interface Ask {
  method?: string;
  /** Uid of the pod, or nobody; default: the owner. */
  as?: string;
  body?: Json;
  headers?: Record<string, string>;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Json;
}

export interface ThingsLife extends Life {
  api: LocalApi;
  url: string;
  ask(path: string, ask?: Ask): Promise<Answer>;
  close(): Promise<void>;
}

/** The hub's word: a barrier and a scanner with their twins. */
export function tellDevices(life: Life, desired: Record<string, Json> = {}): void {
  const scanner = barrierProfile({
    deviceResources: [
      resource('scans', { valueType: 'Uint32' }),
      resource('lamp', { valueType: 'Bool', readWrite: 'RW' }),
      resource('present', { valueType: 'String', readWrite: 'W' }, { isHidden: true }),
      resource('scan', { valueType: 'Object' }, { tag: 'event' }),
    ],
    deviceCommands: [{ name: 'present', readWrite: 'W', resourceOperations: [{ deviceResource: 'present' }] }],
  });
  scanner.metadata.name = 'scanner';
  const devices = [
    device('barrier-1', { model: 'barrier', travelMs: '200' }),
    device('scanner-1', { model: 'scanner' }, { profileName: 'scanner', description: 'Reads tickets.' }),
  ];
  life.devices.apply(devices, [barrierProfile(), scanner]);
  life.twins.apply([twin(NODE), twin(BARRIER, desired), twin(SCANNER)]);
}

export function useThings() {
  const house = useHouse();
  const open: ThingsLife[] = [];
  afterEach(async () => {
    for (const life of open.splice(0)) await life.close();
  });
  const begin = async (): Promise<ThingsLife> => {
    const dataDir = await house.dataDir();
    const life = await openApi(dataDir, await house.begin());
    open.push(life);
    return life;
  };
  return { begin };
}

async function openApi(dataDir: string, house: Life): Promise<ThingsLife> {
  const options = { dataDir, nodeName: NODE, openToUsers: false, tcp: { host: '127.0.0.1', port: 0 } };
  const api = await LocalApi.open(env, options, (uid) => pods.get(uid));
  const { twins, devices, actions } = house;
  const handlers = [twinsEndpoint(twins, api.principals), thingsEndpoint({ twins, devices, actions }, api.principals)];
  api.serve({ handlers, unready: () => [] });
  const ask = async (path: string, { method = 'GET', as, body, headers = {} }: Ask = {}): Promise<Answer> => {
    const token = as === undefined ? api.principals.ownerToken : api.access.tokenOf(as);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const shown = as === 'nobody' ? headers : { authorization: `Bearer ${token}`, ...headers };
      const address = new URL(path, api.access.url);
      const request = httpRequest(address, { method, headers: shown, agent: false }, resolve);
      request.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
    });
    let text = '';
    for await (const chunk of response) text += chunk;
    return { status: response.statusCode!, headers: response.headers, body: text === '' ? null : JSON.parse(text) };
  };
  const close = async () => {
    await api.close();
    await end(house);
  };
  return { ...house, api, url: api.access.url!, ask, close };
}
