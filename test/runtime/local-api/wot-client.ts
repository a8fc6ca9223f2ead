/** node-wot as an app uses it: its own HTTP client, unchanged. It is CommonJS without types that fit, hence the few here. */
import { createRequire } from 'node:module';
import type { Json } from '../../../protocol/kubernetes.ts';

interface Output {
  value(): Promise<Json>;
}

interface Subscription {
  stop(): Promise<void>;
}

export interface ConsumedThing {
  readProperty(name: string): Promise<Output>;
  readAllProperties(): Promise<Map<string, Output>>;
  writeProperty(name: string, value: Json): Promise<void>;
  writeMultipleProperties(values: Map<string, Json>): Promise<void>;
  observeProperty(
    name: string,
    listener: (output: Output) => void,
    onError?: (error: Error) => void,
    options?: { formIndex: number },
  ): Promise<Subscription>;
  subscribeEvent(name: string, listener: (output: Output) => void): Promise<Subscription>;
  invokeAction(name: string, input?: Json): Promise<Output>;
}

interface Servient {
  addClientFactory(factory: unknown): void;
  addCredentials(credentials: Record<string, { token: string }>): void;
  start(): Promise<{ consume(description: unknown): Promise<ConsumedThing> }>;
  shutdown(): Promise<void>;
}

const require = createRequire(import.meta.url);

export interface WotClient {
  consume(description: Json): Promise<ConsumedThing>;
  close(): Promise<void>;
}

/** `token`: for every thing that it consumes. */
export async function wotClient(token: string): Promise<WotClient> {
  const { Servient } = require('@node-wot/core') as { Servient: new () => Servient };
  const { HttpClientFactory } = require('@node-wot/binding-http') as { HttpClientFactory: new () => unknown };
  const servient = new Servient();
  servient.addClientFactory(new HttpClientFactory());
  const wot = await servient.start();
  return {
    consume: (description) => {
      servient.addCredentials({ [(description as { id: string }).id]: { token } });
      return wot.consume(description);
    },
    close: () => servient.shutdown(),
  };
}
