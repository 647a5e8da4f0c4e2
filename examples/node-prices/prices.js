// One of the demo's services: an event loop. It answers GET /prices/ID, by itself or,
// where NEXT names another service, after asking that for /orders/ID.
// An ID that ends in 7 is not found; one that ends in 3 is slow.
'use strict';

const http = require('node:http');

const [host, port] = (process.env.LISTEN || '127.0.0.1:8083').split(':');
const next = process.env.NEXT || '';
// AGENT=none opens a connection for each call; otherwise they are kept and shared.
const agent = process.env.AGENT === 'none' ? false : new http.Agent({ keepAlive: true });
const slow = 80; // milliseconds

function answer(response, status, body) {
  response.writeHead(status, { 'Content-Type': 'text/plain', 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

function ask(id, done) {
  const [nextHost, nextPort] = next.split(':');
  const call = http.get({ host: nextHost, port: nextPort, path: `/orders/${id}`, agent }, (response) => {
    let body = '';
    response.setEncoding('utf8');
    response.on('data', (part) => { body += part; });
    response.on('end', () => done(response.statusCode, body));
  });
  call.on('error', (error) => done(502, `${error.message}\n`));
}

function price(id, response) {
  if (id.endsWith('7')) {
    answer(response, 404, `no price for ${id}\n`);
  } else {
    answer(response, 200, `price of ${id}: ${id.length}\n`);
  }
}

const server = http.createServer((request, response) => {
  const id = request.url.slice(request.url.lastIndexOf('/') + 1);
  if (next) {
    ask(id, (status, body) => answer(response, status, `price of ${id}: ${body}`));
  } else if (id.endsWith('3')) {
    setTimeout(price, slow, id, response);
  } else {
    price(id, response);
  }
});

// Longer than the callers keep idle connections, so that none is closed under a request.
server.keepAliveTimeout = 120_000;
server.listen(Number(port), host);
