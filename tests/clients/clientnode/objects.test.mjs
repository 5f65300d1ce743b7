// Typed and generic objects: what is written is read back, refusals have upstream's codes and reasons.

import assert from 'node:assert/strict';
import test from 'node:test';

import * as k8s from '@kubernetes/client-node';

import { config, core, newNamespace, refusal } from './cluster.mjs';

test('objects are created, patched in every way, replaced and deleted', async (t) => {
  const namespace = await newNamespace(t);
  const one = { name: 'one', namespace };
  const body = { metadata: { name: 'one' }, data: { a: '1' } };
  const first = await core.createNamespacedConfigMap({ namespace, body });
  assert.equal((await refusal(core.createNamespacedConfigMap({ namespace, body }))).reason, 'AlreadyExists');

  const patch = (kind, body, more = {}) =>
    core.patchNamespacedConfigMap({ ...one, body, ...more }, k8s.setHeaderOptions('Content-Type', kind));
  await patch(k8s.PatchStrategy.MergePatch, { data: { b: '2' } });
  await patch(k8s.PatchStrategy.StrategicMergePatch, { metadata: { labels: { app: 'x' } } });
  await patch(k8s.PatchStrategy.JsonPatch, [{ op: 'remove', path: '/data/a' }]);
  const applied = { apiVersion: 'v1', kind: 'ConfigMap', metadata: one, data: { b: '3' } };
  const conflict = await refusal(
    patch(k8s.PatchStrategy.ServerSideApply, applied, { fieldManager: 'node' }),
  );
  assert.deepEqual([conflict.code, conflict.details.causes[0].field], [409, '.data.b']);
  const forced = await patch(k8s.PatchStrategy.ServerSideApply, applied, { fieldManager: 'node', force: true });
  assert.deepEqual([forced.data, forced.metadata.labels], [{ b: '3' }, { app: 'x' }]);

  assert.equal((await refusal(core.replaceNamespacedConfigMap({ ...one, body: first }))).reason, 'Conflict');
  const failing = patch(k8s.PatchStrategy.JsonPatch, [{ op: 'test', path: '/data/b', value: 'no' }]);
  assert.equal((await refusal(failing)).code, 422);
  await core.deleteNamespacedConfigMap(one);
  assert.equal((await refusal(core.readNamespacedConfigMap(one))).reason, 'NotFound');
});

test('manifests of any kind go through the generic client', async (t) => {
  const namespace = await newNamespace(t);
  const client = k8s.KubernetesObjectApi.makeApiClient(config);
  const manifests = k8s.loadAllYaml(`
apiVersion: v1
kind: Service
metadata: {name: web, namespace: ${namespace}}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: ${namespace}}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: multicluster.lab/apps, ports: [{name: http, containerPort: 8080}]}]}
`);
  for (const manifest of manifests) {
    await client.create(manifest);
  }
  const service = await client.read(manifests[0]);
  assert.match(service.spec.clusterIP, /^\d+\.\d+\.\d+\.\d+$/);
  const scaled = await client.patch({ ...manifests[1], spec: { replicas: 1 } });
  assert.equal(scaled.spec.template.spec.containers[0].name, 'main');
  const listed = await client.list('apps/v1', 'Deployment', namespace);
  assert.deepEqual(listed.items.map((item) => item.metadata.name), ['web']);
  await client.delete(manifests[1], undefined, undefined, undefined, undefined, 'Foreground');
  const wrong = { ...manifests[0], metadata: { name: 'w', namespace }, spec: { ports: [{ port: 0 }] } };
  const causes = (await refusal(client.create(wrong))).details.causes;
  assert.deepEqual(causes.map((cause) => cause.field), ['spec.ports[0].port']);
});
