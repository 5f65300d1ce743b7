"""The crowd that the scale rows are measured with: proportions, names, and reports that differ."""

from collections import Counter

from lab.ops.bench import crowd


def test_ten_pods_come_with_their_service_slice_and_replica_set() -> None:
    kinds = Counter(str(obj["kind"]) for obj in crowd.group(3))
    assert kinds == {"Pod": 10, "Service": 1, "EndpointSlice": 1, "ReplicaSet": 1}


def test_no_two_objects_of_a_kind_share_a_name() -> None:
    names = [(obj["kind"], obj["metadata"]["name"]) for number in range(20) for obj in crowd.group(number)]
    assert len(names) == len(set(names))


def test_each_report_of_a_status_is_a_change() -> None:
    reports = [str(crowd.running(beat)) for beat in range(1000)]
    assert len(reports) == len(set(reports))
