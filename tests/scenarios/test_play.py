"""The order and times in which steps are carried out, against a stage whose clock runs as fast as asked."""

import asyncio
import selectors

import pytest

from lab.base.errors import CommandError
from lab.scenarios import play as playing
from lab.scenarios.play import TAIL, InForce, play
from lab.topology.scenario import Scenario


class Hurried(selectors.SelectSelector):
    """Lets no time go by: what a loop would wait for has passed at once."""

    now = 0.0

    def select(self, timeout=None):
        self.now += timeout or 0.0
        return super().select(0)


class Stage:
    """Notes what is done and when; an action takes as long as `slow` says, and before a fault has its effect
    its command works for `overhead`, as it does after one was healed."""

    def __init__(self, clock, slow=0.0, holds_at=0.0, overhead=0.0):
        self.clock, self.slow, self.holds_at, self.done = clock, slow, holds_at, []
        self.overhead = overhead

    async def _do(self, what):
        self.done.append((round(self.clock.now, 3), what))
        await self.wait(self.slow)

    async def inject(self, step):
        await self.wait(self.overhead)
        since = round(self.clock.now, 3)
        await self._do(step.words)
        return InForce(step.words, since)

    async def heal(self, fault_id):
        await self._do(f"heal {fault_id}")
        healed = round(self.clock.now, 3)
        await self.wait(self.overhead)
        return healed

    async def act(self, step):
        if step.run == ("false",):
            raise CommandError(step.run, 1, "")
        await self._do(step.words)

    async def unmet(self, when, since):
        return "" if self.clock.now >= self.holds_at else "west answers"

    async def wait(self, seconds):
        await asyncio.sleep(seconds)


def acted(monkeypatch, *steps, slow=0.0, holds_at=0.0, overhead=0.0, seed=0, **more):
    """What a stage was asked to do, and what was played, to the millisecond."""
    clock = Hurried()
    loop = asyncio.SelectorEventLoop(clock)
    loop.time = lambda: clock.now
    stage = Stage(clock, slow, holds_at, overhead)
    monkeypatch.setattr(playing.time, "time", lambda: round(clock.now, 3))
    scenario = Scenario.model_validate({"steps": steps, **more})
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        done = runner.run(play(scenario, stage, lambda where, what: None, seed))
    return stage.done, done


def played(monkeypatch, *steps, **more):
    done, course = acted(monkeypatch, *steps, **more)
    return done, (course.begin, course.end, course.events)


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


def test_a_fault_begins_and_ends_when_its_effect_does_whatever_else_its_command_does(monkeypatch):
    _, (_, _, (event,)) = played(monkeypatch, {"at": "1s", "for": "2s", **PAUSE}, slow=0.5, overhead=0.7)
    assert (event.began, event.done) == (1.7, 2.2)
    assert (event.healing, event.healed) == (4.2, 4.7)


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


def test_the_run_goes_on_until_a_failback_could_be_seen(monkeypatch):
    expected = {"during": "out", "failback_within": "3s", "traffic": "west/front"}
    step = {"name": "out", "at": "1s", "for": "5s", **PAUSE}
    _, (_, ended, (event,)) = played(monkeypatch, step, slow=2, expect=[expected], **{"for": "9s"})
    assert ended == event.healed + 3 + TAIL


def test_a_step_that_fails_ends_the_run(monkeypatch):
    with pytest.raises(CommandError):
        played(monkeypatch, {"run": ["false"]}, {"run": ["x"]})


SHIFTED = {"traffic": "west/front", "answered_by": "east", "within": "5s"}
STEP = {"run": ["x"]}


def test_a_step_with_when_is_done_as_soon_as_that_holds(monkeypatch):
    done, course = acted(monkeypatch, {"when": SHIFTED, **STEP}, holds_at=2.0)
    (waiting,) = course.waitings
    assert done == [(waiting.ended, "run x")]
    assert waiting.ended == pytest.approx(2, abs=playing.LOOK_EVERY + 0.01)
    assert (waiting.began, waiting.seen) == (0, "")


def test_what_does_not_come_to_hold_ends_the_run_with_what_was_seen(monkeypatch):
    done, course = acted(monkeypatch, {"when": SHIFTED, **STEP}, {"run": ["y"]}, holds_at=60.0)
    assert done == []
    assert [one.seen for one in course.waitings] == ["west answers"]
    assert course.end == pytest.approx(5 + TAIL, abs=0.3)


def test_otherwise_is_done_instead_of_the_rest(monkeypatch):
    gate = {"when": SHIFTED, "otherwise": [{"run": ["rollback"]}], **STEP}
    done, course = acted(monkeypatch, gate, {"run": ["y"]}, holds_at=60.0)
    assert [what for _, what in done] == ["run rollback"]
    assert course.waitings[0].excused


def test_steps_in_parallel_begin_together_and_the_next_waits_for_all(monkeypatch):
    group = {"parallel": [{"for": "2s", **PAUSE}, {"for": "3s", **API}]}
    done, _ = played(monkeypatch, group, STEP)
    assert done == [
        (0, "fault.pause east"),
        (0, "fault.api east"),
        (2, "heal fault.pause east"),
        (3, "heal fault.api east"),
        (3, "run x"),
    ]


def test_a_repeated_fault_is_healed_before_the_pause_and_the_next_time(monkeypatch):
    step = {"name": "flap", "for": "1s", "repeat": {"count": 3, "pause": "2s"}, **PAUSE}
    done, (_, _, events) = played(monkeypatch, step)
    assert [at for at, _ in done] == [0, 1, 3, 4, 6, 7]
    assert [(event.name, event.began, event.healed) for event in events] == [
        ("flap", 0, 1),
        ("flap", 3, 4),
        ("flap", 6, 7),
    ]


def test_a_group_is_repeated_as_a_whole(monkeypatch):
    done, _ = played(monkeypatch, {"steps": [{"run": ["a"]}, {"run": ["b"]}], "repeat": 2})
    assert [what for _, what in done] == ["run a", "run b", "run a", "run b"]


def test_the_seed_decides_what_is_left_to_chance(monkeypatch):
    many = {"any": [{"run": [str(one)]} for one in range(9)], "repeat": {"count": 8, "varies": "3s"}}
    first, again, other = (acted(monkeypatch, many, seed=seed)[0] for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_fault_healed_by_a_step_is_not_healed_again_when_its_time_is_over(monkeypatch):
    done, _ = played(monkeypatch, {"for": "5s", **PAUSE}, {"at": "1s", "heal": "all"})
    assert [what for _, what in done] == ["fault.pause east", "heal fault.pause east"]
