/**
 * A ticket gate. It validates signed tickets against the key set that it finds in ./etc/gate/keys.json, without
 * asking anybody, lets each ticket in once, and keeps its ledger in ./var/ledger/entries.jsonl: an entry counts when
 * it is on the disk, so a gate that lost its power still refuses a ticket that was used before. The turnstile beside
 * it lets the guest through, once for each ticket. Each entry is told to
 * the terminal, which brings it to the hub once; a gate whose runtime is gone lets people in and tells later.
 *
 *   POST /scan  {"ticket": "PAYLOAD.SIGNATURE"}  ->  {"admitted": true, "ticket": ID} or {"admitted": false, "reason": …}
 *   GET  /                                       ->  what this gate is and how many it let in
 *
 * A ticket is base64url(JSON {id, event, notAfter, key}) "." base64url(Ed25519 signature of the first part).
 */
import { createPublicKey, verify } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from './stile-app.mjs';

const KEYS_FILE = './etc/gate/keys.json';
const LEDGER_DIRECTORY = './var/ledger';
const BODY_BYTES_MAX = 8 * 1024;
const {
  GATE_EVENT = 'expo',
  GATE_REGION = 'nowhere',
  GATE_VERSION = '0',
  POD_IP = '127.0.0.1',
  POD_NAME,
  NODE_NAME,
} = process.env;
const port = Number(process.env.GATE_PORT ?? 8080);

const used = new Map();
const stile = connect();
const closing = new AbortController();
const ledger = await openLedger();
/** Scans of one ticket that arrive together are decided one after the other. */
let deciding = Promise.resolve();

const server = createServer((request, response) => {
  answer(request).then(
    (body) => respond(response, 200, body),
    (error) => respond(response, 400, { error: error.message }),
  );
});
server.listen(port, POD_IP, () => console.log(`gate ${POD_NAME} of ${GATE_REGION} listens on ${POD_IP}:${port}`));
// All of them: what was told before is known by its id.
for (const entry of used.values()) tell(entry);
process.on('SIGTERM', () => {
  closing.abort();
  console.log(`gate closes after ${used.size} entries`);
  server.close();
  server.closeAllConnections();
  deciding.then(() => ledger.close());
});

async function answer(request) {
  if (request.method === 'GET')
    return { region: GATE_REGION, version: GATE_VERSION, event: GATE_EVENT, pid: process.pid, entries: used.size };
  const { ticket } = JSON.parse(await bodyOf(request));
  const decision = deciding.then(() => scan(String(ticket)));
  deciding = decision.catch(() => {});
  return decision;
}

async function scan(text) {
  const [payload = '', signature = ''] = text.split('.');
  const { keys } = JSON.parse(await readFile(KEYS_FILE, 'utf8'));
  let ticket;
  try {
    ticket = JSON.parse(Buffer.from(payload, 'base64url').toString());
  } catch {
    return refused('unreadable');
  }
  const jwk = keys.find((key) => key.kid === ticket.key);
  if (jwk === undefined) return refused('unknown key');
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  if (!verify(null, Buffer.from(payload), key, Buffer.from(signature, 'base64url'))) return refused('forged');
  if (ticket.event !== GATE_EVENT) return refused('another event');
  if (ticket.notAfter < Date.now()) return refused('expired');
  if (used.has(ticket.id)) return refused('already used');
  const entry = { ticket: ticket.id, timeMs: Date.now(), gate: POD_NAME };
  await ledger.write(`${JSON.stringify(entry)}\n`);
  await ledger.sync();
  used.set(ticket.id, entry);
  tell(entry);
  letThrough(ticket.id);
  return { admitted: true, ticket: ticket.id };
}

function tell(entry) {
  stile.appendSurely({ type: 'entry', data: entry, id: entry.ticket }, closing.signal).catch((error) => {
    if (!closing.signal.aborted) console.log(`entry ${entry.ticket} is not told: ${error.message}`);
  });
}

function letThrough(ticket) {
  stile.invoke(`default.turnstile-${NODE_NAME}`, 'admit', { key: ticket }).catch((error) => {
    console.log(`the turnstile did not open for ${ticket}: ${error.message}`);
  });
}

const refused = (reason) => ({ admitted: false, reason });

/** Reads what was admitted before; a last line that the power cut in half was never answered and does not count. */
async function openLedger() {
  await mkdir(LEDGER_DIRECTORY, { recursive: true });
  const path = `${LEDGER_DIRECTORY}/entries.jsonl`;
  const file = await open(path, 'a+');
  const text = await file.readFile('utf8');
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  if (whole.length < text.length) await file.truncate(Buffer.byteLength(whole));
  for (const line of whole.split('\n')) if (line !== '') used.set(JSON.parse(line).ticket, JSON.parse(line));
  return file;
}

async function bodyOf(request) {
  let body = '';
  for await (const chunk of request) {
    body += chunk;
    if (body.length > BODY_BYTES_MAX) throw new Error(`a scan has at most ${BODY_BYTES_MAX} bytes`);
  }
  return body;
}

function respond(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}
