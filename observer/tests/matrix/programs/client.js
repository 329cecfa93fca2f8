// Clients of the matrix with Node: "keep-alive" and "close" use http and https with an agent that keeps connections or
// does not, "fetch" uses the global fetch, and "http2" the module of that name.
//
// Each line on standard input is a cell, which gets an agent of its own. For each cell, the program prints how many
// requests succeeded.
'use strict';
const http = require('node:http');
const http2 = require('node:http2');
const https = require('node:https');
const readline = require('node:readline');
const { setTimeout: sleep } = require('node:timers/promises');

const PIECE = 10_000;

function* pieces(length) {
  for (let start = 0; start < length; start += PIECE) yield Buffer.alloc(Math.min(PIECE, length - start));
}

function check(status, received, cell) {
  if (status !== 200) throw new Error(`status ${status}`);
  if (cell.read && received !== cell.length) throw new Error(`${received} bytes of ${cell.length}`);
}

function write(request, cell) {
  if (cell.chunked) for (const piece of pieces(cell.upload)) request.write(piece);
  request.end(cell.upload && !cell.chunked ? Buffer.alloc(cell.upload) : undefined);
}

// Reads the answer if the cell says so, and returns the number of bytes; destroys it otherwise.
async function receive(answer, cell) {
  let received = 0;
  if (cell.read) for await (const data of answer) received += data.length;
  else answer.destroy();
  return received;
}

function agent(keepAlive) {
  return (cell) => {
    const module = cell.url.startsWith('https') ? https : http;
    const agent = new module.Agent({ keepAlive, maxFreeSockets: 2, rejectUnauthorized: false });
    const headers = cell.upload && !cell.chunked ? { 'content-length': cell.upload } : {};
    const request = () => new Promise((resolve, reject) => {
      const request = module.request(cell.url, { agent, headers, method: cell.upload ? 'POST' : 'GET' });
      request.on('error', reject);
      request.on('response', (answer) => {
        receive(answer, cell).then((received) => check(answer.statusCode, received, cell)).then(resolve, reject);
      });
      write(request, cell);
    });
    return { request, end: () => agent.destroy() };
  };
}

function fetcher(cell) {
  // A stream can be sent only once, so each request gets a new body.
  const upload = () => ({
    method: 'POST',
    body: cell.chunked ? stream(cell.upload) : Buffer.alloc(cell.upload),
    duplex: 'half',
  });
  const request = async () => {
    const answer = await fetch(cell.url, cell.upload ? upload() : {});
    let received = 0;
    if (cell.read) received = (await answer.arrayBuffer()).byteLength;
    else await answer.body.cancel();
    check(answer.status, received, cell);
  };
  return { request, end: () => {} };
}

function stream(length) {
  const source = pieces(length);
  return new ReadableStream({
    pull(controller) {
      const { value, done } = source.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
}

function session(cell) {
  const url = new URL(cell.url);
  const session = http2.connect(url.origin, { rejectUnauthorized: false });
  const request = () => new Promise((resolve, reject) => {
    const stream = session.request({ ':path': url.pathname + url.search, ':method': cell.upload ? 'POST' : 'GET' });
    stream.on('error', reject);
    stream.on('response', (headers) => {
      receive(stream, cell).then((received) => check(headers[':status'], received, cell)).then(resolve, reject);
    });
    write(stream, cell);
  });
  return { request, end: () => session.close() };
}

const KINDS = { 'keep-alive': agent(true), close: agent(false), fetch: fetcher, http2: session };

async function run(cell) {
  const client = KINDS[process.argv[2]](cell);
  const rounds = cell.times / cell.atOnce;
  for (let round = 0; round < rounds; round++) {
    if (cell.pauseMs && round === rounds / 2) await sleep(cell.pauseMs);
    await Promise.all(Array.from({ length: cell.atOnce }, client.request));
  }
  client.end();
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [url, times, atOnce, length, read, upload, chunked, pauseMs] = line.split(' ');
    await run({
      url,
      times: Number(times),
      atOnce: Number(atOnce),
      length: Number(length),
      read: read === 'true',
      upload: Number(upload),
      chunked: chunked === 'true',
      pauseMs: Number(pauseMs),
    });
    console.log(times);
  }
  // The connections of fetch stay open and would keep the process alive.
  process.exit();
}

main();
