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
//   longpoll   as timer; all the while a request of the service to itself waits for its answer
//   websocket  one call; over an upgraded connection of the service to itself goes a message
//              every 5 ms, for each of which it calls, for no request
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
  longpoll: (truth) => call(0, truth),
  websocket: (truth) => call(0, truth),
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
  if (request.url.startsWith('/poll')) {
    setTimeout(() => response.end('none'), 3000);
    return;
  }
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


// Longer than a run, so that no idle connection is closed under a request.
server.keepAliveTimeout = 600_000;
const [host, port] = process.env.LISTEN.split(':');
server.on('upgrade', (request, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: messages\r\nConnection: Upgrade\r\n\r\n');
  socket.on('data', () => call(0, 'none').catch(console.error));
  socket.on('error', () => {});
});

const callNothing = () => setInterval(() => call(0, 'none').catch(console.error), 5);

async function poll() {
  for (;;) {
    await byAgent(process.env.LISTEN, '/poll?truth=none');
  }
}

function upgrade() {
  const headers = { Connection: 'Upgrade', Upgrade: 'messages' };
  const socket = http.request({ host, port, path: '/messages?truth=none', headers });
  socket.on('upgrade', (_, connection) => {
    const messages = setInterval(() => connection.write('message'), 5);
    setTimeout(() => {
      clearInterval(messages);
      connection.destroy();
      upgrade();
    }, 1000);
  });
  socket.end();
}

const alone = { timer: [callNothing], longpoll: [callNothing, poll], websocket: [upgrade] };

server.listen({ host, port, backlog: 1024 }, () => (alone[shape] || []).forEach((start) => start()));
