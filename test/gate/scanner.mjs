/**
 * A gate at rush hour. The node's twin says which tickets are good and how many people come: desired
 * `{"rush": {"tickets": [FIRST, LAST], "scans": N, "everyMs": MS}}`. Each scan comes at its time, however long the ones
 * before it take; it is looked up, and told durably before the gate opens. Says `done {…}` with what it measured: ms from
 * the time of a scan to the gate's opening, those that fell into an outage of the runtime included.
 */
import { connect } from './stile-app.mjs';

const stile = connect();
let rush;

for await (const { document } of stile.follow(process.env.NODE_NAME)) {
  const begun = rush !== undefined;
  rush = document.properties.desired.rush ?? rush;
  if (!begun && rush !== undefined) run().catch((error) => console.log(`failed ${error.message}`));
}

async function run() {
  const { scans, everyMs } = rush;
  const latencies = [];
  const open = new Set();
  const beganMs = performance.now();
  for (let number = 1; number <= scans; number += 1) {
    const dueMs = beganMs + number * everyMs;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const scan = admit(number).then(() => latencies.push(performance.now() - dueMs));
    open.add(scan);
    scan.finally(() => open.delete(scan));
    if (number % 50 === 0) console.log(`scan ${number}`);
  }
  await Promise.all(open);
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
  console.log(`done ${JSON.stringify({ accepted: latencies.length, p50: at(0.5), p99: at(0.99), most: at(1) })}`);
}

/** Resolves when the gate may open. */
async function admit(ticket) {
  const [first, last] = rush.tickets;
  if (ticket < first || ticket > last) throw new Error(`the ticket ${ticket} is not good`);
  await stile.appendSurely({ type: 'gate.entry', data: { ticket }, id: `ticket-${ticket}` });
}
