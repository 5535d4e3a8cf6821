// A process of Node without secrets: modules that servers load, a request to itself, data in memory.
import http from 'node:http';
import 'node:https';
import 'node:tls';
import 'node:zlib';
import 'node:fs/promises';
import { createHash } from 'node:crypto';

const rows = Array.from({ length: 200000 }, (_, n) => ({ id: n, name: `row ${n}`, digest: createHash('sha256').update(`${n}`).digest('hex') }));
const server = http.createServer((request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(rows.slice(0, 5000)));
});
server.listen(0, '127.0.0.1', () => {
  http.get({ port: server.address().port, host: '127.0.0.1' }, (response) => {
    let body = '';
    response.on('data', (chunk) => (body += chunk));
    response.on('end', () => {
      globalThis.kept = JSON.parse(body);
      console.log('ready');
    });
  });
});
