/** The least that a service on Node is: an HTTP server that says nothing. */
import { createServer } from 'node:http';

createServer((_, response) => response.end()).listen(0, '127.0.0.1', () => console.log('listens'));
