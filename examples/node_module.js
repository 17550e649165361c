#!/usr/bin/env node
// A small web server that makes itself a module of the balancer: what a service in Node has to do, made from proto/ alone.
//
//   npm install && node node_module.js NAME [--port 0] [--registry 127.0.0.1:50051] [--service http] [--version v1] [--lease 30]
//
// It registers, beats with its load, and leaves: at TERM after its sessions have ended, or when the registry wishes it (drained: exit 0;
// a newer process has its name: exit 1). The cluster's key comes from NLB_API_KEY.
'use strict';
const http = require('http');
const os = require('os');
const path = require('path');
const util = require('util');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const flag = (value) => ({ type: 'string', default: value });
const { values: options, positionals } = util.parseArgs({
  allowPositionals: true,
  options: { port: flag('0'), registry: flag('127.0.0.1:50051'), service: flag('http'), version: flag('v1'), lease: flag('30') },
});
const name = positionals[0];
if (!name) {
  console.error('usage: node_module.js NAME [--port N] [--registry ADDRESS] [--service NAME] [--version V] [--lease SECONDS]');
  process.exit(2);
}

const definition = loader.loadSync('nlb/v1/registry.proto', {
  includeDirs: [process.env.PROTO_FOLDER || path.join(__dirname, '..', 'proto')], keepCase: true, longs: String, enums: String, defaults: true,
});
const client = new (grpc.loadPackageDefinition(definition).nlb.v1.NLBService)(options.registry, grpc.credentials.createInsecure(), {
  'grpc.keepalive_time_ms': 10000, 'grpc.keepalive_timeout_ms': 3000, 'grpc.keepalive_permit_without_calls': 1,
  'grpc.max_reconnect_backoff_ms': 2000,   // else up to 2 minutes: longer than the lease after a registry's restart
});
const metadata = new grpc.Metadata();
if (process.env.NLB_API_KEY) metadata.set('x-nlb-api-key', process.env.NLB_API_KEY);

function call(method, request) {
  return new Promise((resolve, reject) => {
    client[method](request, metadata, { deadline: Date.now() + 5000 }, (error, reply) => (error ? reject(error) : resolve(reply)));
  });
}

// ---- the service itself; it counts, because the registry wants to know

let open = 0;
let requests = 0;
const server = http.createServer((request, response) => {
  requests += 1;
  response.setHeader('Connection', 'close');
  response.end(`hello from ${name}\n`);
});
server.on('connection', (socket) => {
  open += 1;
  socket.on('close', () => { open -= 1; });
});

let before = { at: Date.now(), cpu: process.cpuUsage(), requests: 0 };
function load() {
  const now = { at: Date.now(), cpu: process.cpuUsage(), requests };
  const seconds = Math.max((now.at - before.at) / 1000, 0.001);
  const cpu = (now.cpu.user + now.cpu.system - before.cpu.user - before.cpu.system) / 1e6;
  const sample = {
    cpu_percent: Math.min(100, (100 * cpu) / seconds), memory_percent: (100 * process.memoryUsage().rss) / os.totalmem(), connections: open,
    requests_per_second: (requests - before.requests) / seconds,
  };
  before = now;
  return sample;
}

// ---- its place in the registry

let place = { module_id: '', lease_id: '0' };
let interval = 1000;

async function register() {
  const module = {
    name, service: options.service, protocol: 'PROTOCOL_HTTP', version: options.version, data_address: `127.0.0.1:${server.address().port}`,
    lease_ms: Number(options.lease) * 1000, incarnation: String(BigInt(Date.now()) * 1000n), labels: { language: 'node' },
    check: { kind: 'CHECK_KIND_PROTOCOL', interval_ms: 1000, timeout_ms: 900 },
  };
  const reply = await call('RegisterModule', { module });
  place = { module_id: reply.module_id, lease_id: reply.lease_id };
  interval = reply.heartbeat_interval_ms;
  console.log(`registered ${reply.module_id}, lease ${reply.lease_ms} ms, at most ${reply.limits.max_connections} connections`);
}

const nothing = { wish: 'WISH_NONE', reason: '' };
function wishOf(error) {
  if (error.code === grpc.status.ABORTED) return { wish: 'WISH_STOP', reason: error.details };
  console.error(`${error.message}: trying again`);                                    // the lease has time for some more tries
  interval = 1000;
  return nothing;
}

async function beat() {
  try {
    const reply = await call('Heartbeat', { ...place, load: load() });
    interval = reply.heartbeat_interval_ms;
    return reply;
  } catch (error) {
    if (error.code === grpc.status.NOT_FOUND) return register().then(() => nothing, (refusal) => wishOf(refusal));   // it has lost its memory
    return wishOf(error);
  }
}

// No new sessions from now on; returns when those that are open have ended, or the time is over.
async function leave(milliseconds) {
  await call('UnregisterModule', { ...place, drain: true, drain_timeout_ms: milliseconds, reason: 'it is ending' });
  for (const deadline = Date.now() + milliseconds; Date.now() < deadline;) {
    try {
      if ((await call('Heartbeat', place)).wish === 'WISH_STOP') return;              // gone, and an operator wanted it so
    } catch (error) {
      if (error.code === grpc.status.NOT_FOUND) return;                               // the forwarders have nobody left here
    }
    await pause(200);
  }
}

let wake = () => {};
let ending = false;
const pause = (milliseconds) => new Promise((resolve) => {
  const timer = setTimeout(resolve, milliseconds);
  wake = () => { clearTimeout(timer); resolve(); };
});
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => { ending = true; wake(); });

server.listen(Number(options.port), '127.0.0.1', async () => {
  try {
    await register();
  } catch (error) {
    console.error(`${name} is refused: ${error.message}`);
    process.exit(1);
  }
  for (;;) {
    if (!ending) await pause(interval);
    if (ending) break;
    const { wish, reason } = await beat();
    if (wish === 'WISH_STOP') {
      console.error(`told to stop: ${reason}`);                                       // its place is another's: nothing to unregister
      process.exit(1);
    }
    if (wish === 'WISH_DRAIN') {
      console.log(`draining: ${reason}`);
      break;
    }
  }
  await leave(30000).then(() => console.log('left'), (error) => console.error(`could not leave: ${error.message}`));
  process.exit(0);                                                                    // else its lease will end by itself
});
