// A Node.js service: an event loop. What a request does is its SHAPE:
//
//   one        one call
//   sequence   a call to each next service, one after the other
//   parallel   a call to each next service at once, joined
//   sleep      a timer, then one call
//   hedged     a call to each next service at once, which takes 5 ms at least; the first answer
//              counts, and the other calls go on
//   streaming  one call, between the first and the last part of the response
//   timer      one call; a timer calls every 5 ms, for no request
//   after      one call, after the response was written
//
// CLIENT is http (an agent) or fetch (undici). REUSE=off makes a connection for each call,
// POOL=n bounds them. The token goes along in the query.
'use strict';

const http = require('node:http');

const shape = process.env.SHAPE || 'one';
const reuse = process.env.REUSE !== 'off';
const next = process.env.NEXT.split(',');
const pool = Number(process.env.POOL) || Infinity;
const agent = new http.Agent({ keepAlive: reuse, maxSockets: pool });

function byAgent(address, path) {
  const [host, port] = address.split(':');
  return new Promise((resolve, reject) => {
    http.get({ host, port, path, agent }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part) => { body += part; });
      response.on('end', () => resolve(body));
      response.on('error', reject);
    }).on('error', reject);
  });
}

async function byFetch(address, path) {
  return (await fetch(`http://${address}${path}`)).text();
}

const client = process.env.CLIENT === 'fetch' ? byFetch : byAgent;

async function call(number, truth, more = '') {
  const body = await client(next[number], `/call${number}?truth=${truth}${more}`);
  if (!body.includes(truth)) {
    throw new Error(`${truth} was answered with ${body}`);
  }
  return body;
}

const shapes = {
  one: (truth) => call(0, truth),
  timer: (truth) => call(0, truth),
  async sequence(truth) {
    let body = '';
    for (let number = 0; number < next.length; number++) {
      body += await call(number, truth);
    }
    return body;
  },
  async parallel(truth) {
    return (await Promise.all(next.map((_, number) => call(number, truth)))).join('');
  },
  async sleep(truth) {
    await new Promise((resolve) => { setTimeout(resolve, Math.random() * 10); });
    return call(0, truth);
  },
  hedged: (truth) => Promise.any(next.map((_, number) => call(number, truth, '&slow=1'))),
};

const server = http.createServer(async (request, response) => {
  const truth = new URL(request.url, 'http://localhost').searchParams.get('truth');
  let status = 200;
  let body = `answer to ${truth}\n`;
  try {
    if (shape === 'after') {
      response.on('finish', () => call(0, truth).catch(console.error));
    } else if (shape === 'streaming') {
      response.write('answer');
      body = await call(0, truth);
    } else {
      body = await shapes[shape](truth);
    }
  } catch (error) {
    [status, body] = [500, `${error.stack}\n`];
    console.error(error);
  }
  if (response.headersSent) {
    response.end(body);
    return;
  }
  response.writeHead(status, { 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
});

if (shape === 'timer') {
  setInterval(() => call(0, 'none').catch(console.error), 5);
}

// Longer than a run, so that no idle connection is closed under a request.
server.keepAliveTimeout = 600_000;
const [host, port] = process.env.LISTEN.split(':');
server.listen({ host, port, backlog: 1024 });
