// A Node.js service that asks MySQL or MariaDB (mysql2, a pool of POOL connections) twice, one query after
// the other. The token goes along in the statements' comments.
'use strict';

const http = require('node:http');
const mysql = require('mysql2/promise');

const [address, port] = process.env.NEXT.split(':');
const pool = mysql.createPool({
  host: address, port: Number(port), user: 'shop', password: 'swordfish', database: 'shop', connectionLimit: Number(process.env.POOL) || 64, maxIdle: 1000,
});

function check(truth, [rows]) {
  if (rows[0].truth !== truth) {
    throw new Error(`${truth} was answered with ${rows[0].truth}`);
  }
}

async function work(truth) {
  check(truth, await pool.query(`SELECT ? AS truth /* truth=${truth} */`, [truth]));
  check(truth, await pool.query(`SELECT ? AS truth, 2 AS second /* truth=${truth} */`, [truth]));
}

const server = http.createServer(async (request, response) => {
  const truth = new URL(request.url, 'http://localhost').searchParams.get('truth');
  let status = 200;
  let body = `answer to ${truth}\n`;
  try {
    await work(truth);
  } catch (error) {
    [status, body] = [500, `${error.stack}\n`];
    console.error(error);
  }
  response.writeHead(status, { 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
});

// Longer than a run, so that no idle connection is closed under a request.
server.keepAliveTimeout = 600_000;
const [host, own] = process.env.LISTEN.split(':');
server.listen({ host, port: own, backlog: 1024 });
