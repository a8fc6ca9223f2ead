/**
 * Probes and hooks for real: HTTP, TCP and commands. Everything is bounded: time, redirects, and what is read of an
 * answer. Source of the rules: kubernetes.io "Configure Liveness, Readiness and Startup Probes".
 */
import { readFile, rm } from 'node:fs/promises';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { connect } from 'node:net';
import { type EngineCommand, startChild } from './child-command.ts';
import type { HandlerCall, HandlerOutcome, Prober } from './ports.ts';
import { stat } from './proc.ts';

export interface LocalProberConfig {
  engine: EngineCommand;
}

/** Bytes of an answer or of a command's output that are read; the rest is let go. */
const outputBytesMax = 10 * 1024;
/** Bytes of it that a message shows. */
const messageBytesMax = 512;
const redirectsMax = 10;

export class LocalProber implements Prober {
  readonly #config: LocalProberConfig;

  constructor(config: LocalProberConfig) {
    this.#config = config;
  }

  async probe(call: HandlerCall, timeoutMs: number, signal: AbortSignal): Promise<HandlerOutcome> {
    if (signal.aborted) return failure('the runtime is going down');
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const onAbort = () => limit.abort(new Error('the runtime is going down'));
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await this.#run(call, limit.signal);
    } catch (error) {
      const { reason } = limit.signal;
      return failure(((limit.signal.aborted ? reason : error) as Error).message);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  #run(call: HandlerCall, signal: AbortSignal): Promise<HandlerOutcome> {
    switch (call.kind) {
      case 'exec':
        return runCommand(call, this.#config.engine, signal);
      case 'tcpSocket':
        return openSocket(call.host, call.port, signal);
      case 'httpGet':
        return getHttp(call, signal);
      default:
        return call satisfies never;
    }
  }
}

function failure(message: string): HandlerOutcome {
  return { ok: false, message };
}

function openSocket(host: string, port: number, signal: AbortSignal): Promise<HandlerOutcome> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const onAbort = () => socket.destroy(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', () => {
      resolve({ ok: true, message: '' });
      socket.destroy();
    });
    socket.once('error', reject);
    socket.once('close', () => signal.removeEventListener('abort', onAbort));
  });
}

/** 200 to 399 is well. Redirects are followed on the same host only; one that leads elsewhere counts as an answer. */
async function getHttp(call: Extract<HandlerCall, { kind: 'httpGet' }>, signal: AbortSignal): Promise<HandlerOutcome> {
  const host = call.host.includes(':') ? `[${call.host}]` : call.host;
  let url = new URL(call.path, `${call.scheme.toLowerCase()}://${host}:${call.port}`);
  for (let hop = 0; hop <= redirectsMax; hop += 1) {
    const answer = await getOnce(url, call.headers, signal);
    const { status, location, text } = answer;
    const next = status >= 300 && status < 400 && location !== undefined ? URL.parse(location, url.href) : null;
    if (next !== null && next.hostname === url.hostname && /^https?:$/.test(next.protocol)) {
      url = next;
      continue;
    }
    if (status >= 200 && status < 400) return { ok: true, message: text };
    return failure(`HTTP status ${status}${text === '' ? '' : `: ${text}`}`);
  }
  return failure(`more than ${redirectsMax} redirects`);
}

interface HttpAnswer {
  status: number;
  location?: string;
  text: string;
}

function getOnce(url: URL, headers: readonly [string, string][], signal: AbortSignal): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    // A pod's certificate is its own business: nobody could name it to us (as the kubelet does).
    const secure = url.protocol === 'https:';
    const options = { agent: false, signal, headers: headersOf(headers), rejectUnauthorized: false };
    const request = secure ? requestHttps(url, options) : requestHttp(url, options);
    request.once('error', reject);
    request.once('response', (response) => {
      readStart(response).then((text) => {
        const { statusCode: status = 0, headers: answered } = response;
        resolve({ status, text, ...(answered.location === undefined ? {} : { location: answered.location }) });
        request.destroy();
      }, reject);
    });
    request.end();
  });
}

function headersOf(headers: readonly [string, string][]): Record<string, string | string[]> {
  const sent: Record<string, string | string[]> = {
    'user-agent': 'kube-probe/stile',
    accept: '*/*',
    connection: 'close',
  };
  const own = new Map<string, string[]>();
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    own.set(key, [...(own.get(key) ?? []), value]);
  }
  for (const [name, values] of own) sent[name] = values.length === 1 ? values[0]! : values;
  return sent;
}

async function readStart(stream: AsyncIterable<Buffer> & Pick<IncomingMessage, 'destroy'>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= outputBytesMax) break;
  }
  return shown(Buffer.concat(chunks));
}

function shown(bytes: Buffer): string {
  return bytes.subarray(0, messageBytesMax).toString('utf8').trim();
}

/** Well when it exits with 0. What it started stays a part of the container; all of it ends when time is up. */
function runCommand(
  { command }: Extract<HandlerCall, { kind: 'exec' }>,
  engine: EngineCommand,
  signal: AbortSignal,
): Promise<HandlerOutcome> {
  return new Promise((resolve, reject) => {
    const { child, enter } = startChild(command, engine, 'pipe');
    const stdout = child.stdout!;
    const stderr = child.stderr!;
    const chunks: Buffer[] = [];
    let bytes = 0;
    const keep = (chunk: Buffer) => {
      if (bytes < outputBytesMax) chunks.push(chunk.subarray(0, outputBytesMax - bytes));
      bytes += chunk.length;
    };
    stdout.on('data', keep);
    stderr.on('data', keep);
    const onAbort = () => {
      killGroup(child.pid);
      if (command.pidFile !== undefined) void killElsewhere(command.pidFile);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const end = () => {
      signal.removeEventListener('abort', onAbort);
      // Something that it left in the background may hold these open.
      stdout.destroy();
      stderr.destroy();
      if (!signal.aborted && command.pidFile !== undefined) void rm(command.pidFile, { force: true }).catch(() => {});
    };
    child.once('error', (error) => {
      end();
      reject(error);
    });
    child.once('spawn', () => {
      enter().catch((error: unknown) => {
        killGroup(child.pid);
        reject(error);
      });
    });
    child.once('exit', (code, cause) => {
      // What was written before the end is in the pipe by now.
      setImmediate(() => {
        end();
        const said = shown(Buffer.concat(chunks));
        if (signal.aborted) reject(signal.reason as Error);
        else if (code === 0) resolve({ ok: true, message: said });
        else resolve(failure(`exit ${code ?? cause}${said === '' ? '' : `: ${said}`}`));
      });
    });
  });
}

/** A command in a container is in another group, with nothing else in it; its pid was written when it began. */
async function killElsewhere(pidFile: string): Promise<void> {
  const found = await stat(Number(await readFile(pidFile, 'latin1').catch(() => '0')));
  if (found !== undefined && found.group > 1) killGroup(found.group);
  await rm(pidFile, { force: true }).catch(() => {});
}

function killGroup(leader: number | undefined): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile.
  }
}
