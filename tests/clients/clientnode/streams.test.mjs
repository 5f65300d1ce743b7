// Into a running pod: commands, logs and ports, over WebSocket.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import test from 'node:test';

import * as k8s from '@kubernetes/client-node';

import { config, core, eventually, newNamespace } from './cluster.mjs';

async function runPod(t) {
  const namespace = await newNamespace(t);
  const containers = [
    { name: 'shell', image: 'example.com/sh:1', args: ['echo started; sleep 600'] },
    {
      name: 'web',
      image: 'multicluster.lab/apps',
      args: ['echo'],
      readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
    },
  ];
  const body = { metadata: { name: 'p' }, spec: { terminationGracePeriodSeconds: 0, containers } };
  await core.createNamespacedPod({ namespace, body });
  await eventually('a ready pod', async () => {
    const { status } = await core.readNamespacedPod({ name: 'p', namespace });
    return status.conditions?.some((c) => c.type === 'Ready' && c.status === 'True');
  });
  return namespace;
}

test('a command gets its input, gives its output and its exit code', async (t) => {
  const namespace = await runPod(t);
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const command = ['sh', '-c', 'head -n 1 | tr a-z A-Z; echo trouble >&2; exit 4'];
  const ended = new Promise((resolve, reject) => {
    const stdin = Readable.from(['shout\n']);
    const running = new k8s.Exec(config);
    running.exec(namespace, 'p', 'shell', command, stdout, stderr, stdin, false, resolve).catch(reject);
  });
  const status = await ended;
  assert.deepEqual([status.status, status.reason], ['Failure', 'NonZeroExitCode']);
  assert.deepEqual(status.details.causes, [{ reason: 'ExitCode', message: '4' }]);
  stdout.end();
  stderr.end();
  assert.deepEqual([await text(stdout), await text(stderr)], ['SHOUT\n', 'trouble\n']);
});

test('logs follow', async (t) => {
  const namespace = await runPod(t);
  const stream = new PassThrough();
  const following = await new k8s.Log(config).log(namespace, 'p', 'shell', stream, { follow: true });
  const [line] = await once(stream, 'data');
  assert.equal(String(line), 'started\n');
  following.abort();
});

test('connections go through a forwarded port', async (t) => {
  const namespace = await runPod(t);
  const forward = new k8s.PortForward(config);
  const server = net.createServer((socket) => {
    forward.portForward(namespace, 'p', [8080], socket, null, socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  for (const path of ['/one', '/two']) {
    const answer = await fetch(`http://127.0.0.1:${server.address().port}${path}`, {
      headers: { connection: 'close' },
    });
    assert.equal((await answer.json()).path, path);
  }
});
