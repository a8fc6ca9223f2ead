/**
 * `node name-server.ts ADDRESS ANSWER`: a name server that gives the IPv4 address ANSWER to every name (RFC 1035) and
 * nothing to other questions. A child of the link tests, until it is killed.
 */
import { createSocket } from 'node:dgram';

const HEADER_BYTES = 12;
const [address = '', answer = ''] = process.argv.slice(2);
const socket = createSocket('udp4');
socket.on('message', (question, from) => socket.send(answered(question), from.port, from.address));
socket.bind(53, address);

function answered(question: Buffer): Buffer {
  let end = HEADER_BYTES;
  while (question[end] !== 0) end += question[end]! + 1;
  const isAddress = question.readUInt16BE(end + 1) === 1;
  const asked = question.subarray(HEADER_BYTES, end + 5);
  const header = Buffer.alloc(HEADER_BYTES);
  question.copy(header, 0, 0, 2);
  // An answer, recursion desired and available; one question, and one answer where there is one.
  header.writeUInt16BE(0x8180, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(isAddress ? 1 : 0, 6);
  if (!isAddress) return Buffer.concat([header, asked]);
  // The name by reference to the question, type A, class IN, not to be kept, four bytes.
  const record = Buffer.from([0xc0, HEADER_BYTES, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...answer.split('.').map(Number)]);
  return Buffer.concat([header, asked, record]);
}
