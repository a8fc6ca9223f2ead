/**
 * The least that a durable event costs on Node: an HTTP server on the Unix socket of its first argument that appends what
 * is posted to the file of its second, and answers after fdatasync. GET answers 204 at once.
 */
import { open } from 'node:fs/promises';
import { createServer } from 'node:http';

const [socket, path] = process.argv.slice(2);
const file = await open(path, 'a');
createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  if (request.method === 'POST') {
    await file.write(`${body}\n`);
    await file.datasync();
  }
  response.writeHead(request.method === 'POST' ? 201 : 204).end();
}).listen(socket, () => console.log('listens'));
