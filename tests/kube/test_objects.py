"""Readers of Kubernetes objects."""

from lab.kube.objects import compact


def test_a_compact_object_is_equal_but_for_its_managed_fields() -> None:
    found = {"metadata": {"name": "a", "managedFields": [{}]}, "spec": {"ports": [{"port": 80}]}}
    assert compact(found) == {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}}
