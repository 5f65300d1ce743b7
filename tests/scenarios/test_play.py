"""The order and times in which steps are carried out, against a stage whose clock runs as fast as asked."""

import pytest

from lab.base.errors import CommandError
from lab.scenarios import play as playing
from lab.scenarios.play import TAIL, play
from lab.topology.scenario import Scenario


class Stage:
    """Notes what is done and when; an action takes as long as `slow` says."""

    def __init__(self, slow=0.0):
        self.now, self.slow, self.done = 0.0, slow, []

    def _do(self, what):
        self.done.append((round(self.now, 3), what))
        self.now += self.slow

    def inject(self, step):
        self._do(step.words)
        return step.words

    def heal(self, fault_id):
        self._do(f"heal {fault_id}")

    def act(self, step):
        if step.run == ("false",):
            raise CommandError(step.run, 1, "")
        self._do(step.words)

    def wait(self, seconds):
        self.now += seconds


def played(monkeypatch, *steps, slow=0.0, **more):
    stage = Stage(slow)
    monkeypatch.setattr(playing.time, "time", lambda: stage.now)
    course = play(Scenario.model_validate({"steps": steps, **more}), stage, lambda where, what: None)
    return stage.done, course


PAUSE = {"fault": "pause", "cluster": "east"}
API = {"fault": "api", "cluster": "east"}


def test_a_step_with_at_is_done_at_that_time_of_the_run(monkeypatch):
    done, (began, ended, _) = played(monkeypatch, {"at": "3s", "run": ["x"]})
    assert done == [(3, "run x")]
    assert (began, ended) == (0, 3 + TAIL)


def test_a_fault_with_for_is_healed_that_long_after_it_came_into_force(monkeypatch):
    done, (_, _, (event,)) = played(monkeypatch, {"at": "1s", "for": "2s", **PAUSE}, slow=0.5)
    assert done == [(1, "fault.pause east"), (3.5, "heal fault.pause east")]
    assert (event.began, event.done, event.healing, event.healed) == (1, 1.5, 3.5, 4)


def test_faults_that_overlap_are_healed_each_at_its_own_time(monkeypatch):
    done, _ = played(monkeypatch, {"at": "1s", "for": "5s", **PAUSE}, {"at": "2s", "for": "1s", **API})
    assert done == [
        (1, "fault.pause east"),
        (2, "fault.api east"),
        (3, "heal fault.api east"),
        (6, "heal fault.pause east"),
    ]


def test_after_counts_from_when_the_fault_before_was_healed(monkeypatch):
    done, _ = played(monkeypatch, {"for": "2s", **PAUSE}, {"after": "1s", "run": ["x"]})
    assert done == [(0, "fault.pause east"), (2, "heal fault.pause east"), (3, "run x")]


def test_heal_undoes_the_fault_of_that_name_only(monkeypatch):
    done, (_, _, events) = played(
        monkeypatch, {"name": "one", **PAUSE}, {"name": "two", **API}, {"at": "2s", "heal": "one"}
    )
    assert done[-1] == (2, "heal fault.pause east")
    assert [event.healed for event in events] == [2, None, None]


def test_the_run_lasts_as_long_as_the_scenario_says(monkeypatch):
    _, (began, ended, _) = played(monkeypatch, {"at": "1s", "run": ["x"]}, **{"for": "9s"})
    assert ended - began == 9


def test_a_step_that_fails_ends_the_run(monkeypatch):
    with pytest.raises(CommandError):
        played(monkeypatch, {"run": ["false"]}, {"run": ["x"]})
