/**
 * The least that lists and watches cost on Node: an HTTPS server that has every answer ready. `PUT /NAME` keeps the body,
 * `GET /NAME` answers it; `GET /watch` answers headers and stays open; `POST /watch` writes its body to all that stay.
 * Its argument is a file with key and certificate. Says `listens on PORT`.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

const pem = readFileSync(process.argv[2]);
const kept = new Map();
const watchers = new Set();

const server = createServer({ key: pem, cert: pem }, async (request, response) => {
  const { method, url } = request;
  if (method === 'GET' && url === '/watch') {
    response.flushHeaders();
    watchers.add(response);
    response.on('close', () => watchers.delete(response));
    return;
  }
  if (method === 'GET') return void response.end(kept.get(url));
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts);
  if (method === 'PUT') kept.set(url, body);
  else for (const watcher of watchers) watcher.write(body);
  response.end();
});
server.listen(0, '127.0.0.1', () => console.log(`listens on ${server.address().port}`));
