// The informer: fills its cache, follows changes, and carries on after its connection is lost.

import assert from 'node:assert/strict';
import test from 'node:test';

import * as k8s from '@kubernetes/client-node';

import { config, core, eventually, newNamespace } from './cluster.mjs';

test('an informer follows what is there, comes, changes and goes', async (t) => {
  const namespace = await newNamespace(t);
  const labels = { watched: 'yes' };
  const create = (name) =>
    core.createNamespacedConfigMap({ namespace, body: { metadata: { name, labels }, data: {} } });
  await create('before');

  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const list = () => core.listNamespacedConfigMap({ namespace, labelSelector: 'watched=yes' });
  const informer = k8s.makeInformer(config, path, list, 'watched=yes');
  const seen = [];
  for (const verb of ['add', 'update', 'delete']) {
    informer.on(verb, (object) => seen.push(`${verb} ${object.metadata.name}`));
  }
  informer.on('error', (error) => seen.push(`error ${error}`));
  await informer.start();
  t.after(() => informer.stop());

  await create('after');
  await eventually('what came', () => seen.includes('add after'));
  const body = [{ op: 'add', path: '/data/k', value: 'v' }];
  await core.patchNamespacedConfigMap(
    { name: 'before', namespace, body },
    k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.JsonPatch),
  );
  await eventually('a change', () => informer.get('before', namespace).data?.k === 'v');
  await core.deleteNamespacedConfigMap({ name: 'after', namespace });
  await eventually('what went', () => informer.list(namespace).length === 1);
  assert.deepEqual(seen, ['add before', 'add after', 'update before', 'delete after']);

  await informer.stop();
  await core.deleteNamespacedConfigMap({ name: 'before', namespace });
  await informer.start(); // resumes at the revision it had
  await eventually('what went while it was away', () => seen.includes('delete before'));
});
