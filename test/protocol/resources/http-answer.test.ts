/** Lines and lists reach many clients in order, whole, and a few clients at a time. */
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { sendAnswer } from '../../../protocol/resources/api/http-answer.ts';
import type { LineSink } from '../../../protocol/resources/api/parts.ts';

/** What a client was handed, piece by piece. */
class Client extends EventEmitter {
  readonly pieces: string[] = [];
  readonly writableLength = 0;
  readonly writableNeedDrain = false;
  readonly writableFinished = true;
  readonly socket = null;
  destroyed = false;
  ended = false;
  writeHead(): void {}
  flushHeaders(): void {}
  write(piece: Uint8Array): void {
    this.pieces.push(Buffer.from(piece).toString());
  }
  end(): void {
    this.ended = true;
  }
  destroy(): void {
    this.destroyed = true;
  }
}

const { signal } = new AbortController();
const send = (client: Client, run: (sink: LineSink) => Promise<void>) =>
  sendAnswer(client as unknown as ServerResponse, { type: 'lines', run }, signal);

/** A client whose sink is held open until `end`. */
function watching(client: Client): { sink: LineSink; end(): void; sent: Promise<void> } {
  let sink!: LineSink;
  let end = () => {};
  const sent = send(client, (given) => {
    sink = given;
    return new Promise((resolve) => {
      end = resolve;
    });
  });
  return { sink, end: () => end(), sent };
}

it('a burst is one piece for each client, in order, counted as waiting until then', async () => {
  const client = new Client();
  const { sink, end, sent } = watching(client);
  for (const line of ['a\n', Buffer.from('ü\n'), 'c\n']) sink.write(line);
  expect(client.pieces).toEqual([]);
  expect(sink.waitingBytes()).toBe(7);
  await turn();
  expect(client.pieces).toEqual(['a\nü\nc\n']);
  expect(sink.waitingBytes()).toBe(0);
  sink.write('d\n');
  end();
  await sent;
  expect(client.pieces).toEqual(['a\nü\nc\n', 'd\n']);
  expect(client.ended).toBe(true);
  // Its place in the queue is empty by now; the next test counts places.
  await turn();
});

it('of many clients some are written to, then the event loop turns, and nobody is forgotten', async () => {
  const clients = Array.from({ length: 100 }, () => new Client());
  const sinks = clients.map((client) => watching(client).sink);
  for (const sink of sinks) sink.write('told\n');
  const toldByTurn: number[] = [];
  while (toldByTurn.at(-1) !== clients.length && toldByTurn.length < clients.length) {
    await turn();
    toldByTurn.push(clients.filter(({ pieces }) => pieces.length > 0).length);
  }
  expect(toldByTurn).toEqual([25, 50, 75, 100]);
  expect(new Set(clients.map(({ pieces }) => pieces.join()))).toEqual(new Set(['told\n']));
});

it('who was broken off gets nothing more', async () => {
  const client = new Client();
  const { sink } = watching(client);
  sink.write('a\n');
  sink.abandon();
  await turn();
  expect(client.pieces).toEqual([]);
});

it('a list is made slice by slice, with a turn between two of them', async () => {
  const client = new Client();
  const made: number[] = [];
  let turns = 0;
  let counting = true;
  const count = async () => {
    for (; counting; turns += 1) await turn();
  };
  function* slices() {
    for (const slice of ['[', '1,', '2', ']']) {
      made.push(turns);
      yield slice;
    }
  }
  const counted = count();
  await sendAnswer(client as unknown as ServerResponse, { type: 'slices', code: 200, slices: slices() }, signal);
  counting = false;
  await counted;
  expect(client.pieces).toEqual(['[', '1,', '2', ']']);
  // Each slice is made in a turn of its own: while one is made the event loop was free since the one before.
  expect(new Set(made.slice(1)).size).toBe(made.length - 1);
});
