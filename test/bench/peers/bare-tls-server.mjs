// Bare node:tls with client certificates: what a connection, a handshake and a write cost at the least.
// Its folder has ca.pem, broker.pem and broker.key. SIGUSR2 writes so many bytes to every connection.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer } from 'node:tls';

const [folder, count] = process.argv.slice(2);
const bytes = Buffer.alloc(Number(count), 'x');
const read = (name) => readFileSync(join(folder, name));
const sockets = new Set();
const server = createServer(
  {
    ca: read('ca.pem'),
    cert: read('broker.pem'),
    key: read('broker.key'),
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
  },
  (socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('data', () => {});
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
  },
);
server.listen(0, '127.0.0.1', () => console.log(`listens on ${server.address().port}`));

process.on('SIGUSR2', () => {
  for (const socket of sockets) socket.write(bytes);
});
