"""Reads what the conformance suite says while it runs, and its report, into a verdict. Pure.

The suite is a Go test program. Told to write for test2json it marks its own lines, so that they cannot be
confused with what a test says: a test starts (`=== RUN`), speaks on (`=== NAME`), ends (`--- PASS`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

PASSED, FAILED = "pass", "fail"
MARK = "\x16"
SHOWN = 12
"""Lines of a failed test that its verdict quotes: the last ones say what was seen last."""
_LINE = re.compile(
    rf"{MARK}?\s*(?:=== (RUN|NAME|PAUSE|CONT)\s+|--- (PASS|FAIL|SKIP): )(\S+)(?: \(([\d.]+)s\))?"
)


@dataclass(frozen=True)
class Outcome:
    """One test of the suite; `said` are the last words of one that failed."""

    name: str
    result: str
    seconds: float
    said: tuple[str, ...] = ()


@dataclass
class Reading:
    """What has been said so far of the tests that `counts`; `on_test` hears when one starts and ends.

    The suite names the tests of gateways too, as skipped: those do not count.
    """

    counts: Callable[[str], bool]
    on_test: Callable[[str, str], None]
    outcomes: list[Outcome] = field(default_factory=list)
    unclaimed: list[str] = field(default_factory=list)
    _speaking: str = ""
    _words: dict[str, list[str]] = field(default_factory=dict)
    _longest: dict[str, float] = field(default_factory=dict)

    def read(self, line: str) -> None:
        found = _LINE.match(line)
        if not found:
            words = self._words.setdefault(self._test(), []) if self._test() else self.unclaimed
            words.append(line.strip())
            return
        event, result, self._speaking, seconds = found.groups()
        is_case = self._speaking.count("/") > 1
        if self._test() and self.counts(self._test()):
            if event == "RUN" and not is_case:
                self.on_test(self._test(), "running")
            elif result:
                self._ended(result.lower(), float(seconds), is_case)

    def _ended(self, result: str, seconds: float, is_case: bool) -> None:
        """Cases run in parallel, and the time of a test does not contain theirs."""
        test = self._test()
        longest = self._longest[test] = max(self._longest.get(test, 0.0), seconds)
        if not is_case:
            said = [word for word in self._words.pop(test, []) if word]
            self.outcomes.append(
                Outcome(test, result, longest, tuple(said[-SHOWN:]) if result == FAILED else ())
            )
            self.on_test(test, f"{result}, {longest:.1f} s")

    def _test(self) -> str:
        """The test of the suite that speaks: the second part of `TestConformance/Test/case`."""
        return self._speaking.partition("/")[2].partition("/")[0]


def reason(lines: list[str]) -> list[str]:
    """Of what the suite said outside of any test: the last assertion that failed, or else its last words."""
    spoken = [line for line in lines if line]
    failures = [index for index, line in enumerate(spoken) if line.startswith("Error Trace:")]
    return spoken[failures[-1] :][:SHOWN] if failures else spoken[-SHOWN:]


def profiles(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Each profile of a report as name and, for core and extended, what passed of how many."""
    found = []
    for profile in report.get("profiles") or []:
        counts = {part: _counts(profile[part]) for part in ("core", "extended") if part in profile}
        features = (profile.get("extended") or {}).get("supportedFeatures") or []
        found.append({"profile": profile["name"], **counts, "extendedFeatures": features})
    return found


def _counts(part: dict[str, Any]) -> dict[str, int]:
    return {key.lower(): int(value) for key, value in part["statistics"].items()}
