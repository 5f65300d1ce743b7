// What the sessions share: the cluster that KUBECONFIG names, a namespace per test, bounded waits.

import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';

import * as k8s from '@kubernetes/client-node';

const WITHIN = 30_000; // milliseconds, for every wait for the cluster

export const config = new k8s.KubeConfig();
config.loadFromDefault();
export const core = config.makeApiClient(k8s.CoreV1Api);

// A namespace that goes when the test `t` ends.
export async function newNamespace(t) {
  const made = await core.createNamespace({ body: { metadata: { generateName: 'clientnode-' } } });
  const { name } = made.metadata;
  t.after(() => core.deleteNamespace({ name }));
  return name;
}

export async function eventually(what, holds) {
  const deadline = Date.now() + WITHIN;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `${what}: not within ${WITHIN} ms`);
    await pause(50);
  }
}

// What the server answered to a request that it must refuse: {code, reason, message, …}.
export async function refusal(request) {
  try {
    await request;
  } catch (error) {
    assert.ok(error instanceof k8s.ApiException, error);
    const status = typeof error.body === 'string' ? JSON.parse(error.body) : error.body;
    assert.equal(status.code, error.code);
    return status;
  }
  return assert.fail('the request was not refused');
}
