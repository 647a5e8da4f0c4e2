// A Node.js service that asks Redis (ioredis, one connection for all requests) and
// PostgreSQL (pg, a pool of POOL connections). What a request does is its SHAPE:
//
//   sequence   SET and GET in Redis, then a query, one after the other
//   parallel   an EXISTS and a query at once, joined
//
// The token goes along in keys, and in statements' comments.
'use strict';

const http = require('node:http');
const Redis = require('ioredis').Redis;
const { Pool } = require('pg');

const shape = process.env.SHAPE || 'sequence';
const [redisAddress, postgresAddress] = process.env.NEXT.split(',').map((address) => {
  const [host, port] = address.split(':');
  return { host, port: Number(port) };
});
const redis = new Redis({ ...redisAddress });
const pool = new Pool({
  ...postgresAddress, user: 'shop', password: 'swordfish', database: 'postgres', max: Number(process.env.POOL) || 64, idleTimeoutMillis: 0,
});

function check(truth, answer) {
  if (answer !== truth) {
    throw new Error(`${truth} was answered with ${answer}`);
  }
}

async function get(truth) {
  check(truth, await redis.get(`truth=${truth}`));
}

async function select(truth) {
  const { rows } = await pool.query(`SELECT $1::text AS truth /* truth=${truth} */`, [truth]);
  check(truth, rows[0].truth);
}

const shapes = {
  async sequence(truth) {
    await redis.set(`truth=${truth}`, truth);
    await get(truth);
    await select(truth);
  },
  async parallel(truth) {
    const [found] = await Promise.all([redis.exists(`truth=${truth}`), select(truth)]);
    check(0, found);
  },
};

const server = http.createServer(async (request, response) => {
  const truth = new URL(request.url, 'http://localhost').searchParams.get('truth');
  let status = 200;
  let body = `answer to ${truth}\n`;
  try {
    await shapes[shape](truth);
  } catch (error) {
    [status, body] = [500, `${error.stack}\n`];
    console.error(error);
  }
  response.writeHead(status, { 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
});

// Longer than a run, so that no idle connection is closed under a request.
server.keepAliveTimeout = 600_000;
const [host, port] = process.env.LISTEN.split(':');
redis.once('ready', () => server.listen({ host, port, backlog: 1024 }));
