"""The first page of a bundle: what is not well and why, verdict, faults, repro, versions, content. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lab.observe.state import LabState
from lab.ops.bundle.page import Badges, Block, Code, Folded, Heading, Page, Paragraph, Table, Tone
from lab.ops.bundle.staging import Missing

NOTABLE_EVENTS = 12
WHAT_IS_WHERE = (
    ("summary.md, index.html", "this page"),
    (
        "topology.yaml, files/",
        "the lab, with the manifests and scripts it names: `lab repro` builds it again",
    ),
    ("status.json", "the state as `lab status --json` gives it"),
    ("ledger.json", "faults on record"),
    ("run/", "verdict, timeline and every call of the last `lab run`"),
    ("versions.json", "the lab, Envoy, the kernel, the machine and every Python distribution"),
    ("clusters/*/objects/", "every object, a file per kind"),
    ("clusters/*/events.txt", "Kubernetes events in order"),
    ("clusters/*/logs/", "the end of the log of every container, a file per attempt"),
    ("clusters/*/proxies/", "configuration, endpoints and counters of every Envoy"),
    ("kernel/", "links, addresses, routes, neighbours, nft rules and sockets of every network namespace"),
    ("logs/", "the end of the log of every component of the engine"),
    ("manifest.json", "parts that could not be had, and a hash of every file"),
)


@dataclass(frozen=True)
class Facts:
    """What the page tells."""

    lab: str
    engine: str
    time: float
    state: LabState | None
    verdict: Mapping[str, Any] | None
    faults: Sequence[Mapping[str, Any]]
    versions: Mapping[str, Any]
    programs: Mapping[str, Mapping[str, str]]
    missing: Sequence[Missing]
    sizes: Mapping[str, int]
    file: str


def page(facts: Facts) -> Page:
    """The page, ready to be written in either form."""
    return Page(
        f"Lab {facts.lab}: bundle",
        [
            Badges(list(_badges(facts))),
            *_findings(facts),
            *_verdict(facts),
            *_faults(facts),
            *_repro(facts),
            *_missing(facts.missing),
            *_versions(facts.versions),
            *_content(facts.sizes),
        ],
    )


def _badges(facts: Facts) -> Iterable[tuple[str, str, Tone]]:
    state = facts.state.state if facts.state else "unknown"
    yield "state", state, "good" if state == "ready" else "bad"
    if facts.verdict is None:
        yield "last run", "none", "plain"
    else:
        yield "last run", str(facts.verdict["verdict"]), _tone(facts.verdict["verdict"] == "held")
    yield "faults in force", str(len(facts.faults) or "none"), "warn" if facts.faults else "plain"
    yield "engine", facts.engine, "plain"
    yield "made", datetime.fromtimestamp(facts.time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"), "plain"


def _tone(good: bool) -> Tone:
    return "good" if good else "bad"


def _findings(facts: Facts) -> Iterable[Block]:
    yield Heading("Findings")
    if facts.state is None:
        yield Paragraph("The state could not be read; see what could not be had below.")
        return
    problems = facts.state.problems
    if problems:
        rows = [(one.where, one.what, one.remedy) for one in problems]
        yield Table(("Where", "What", "Fix"), rows, frozenset({"Fix"}), ["bad"] * len(rows))
    else:
        yield Paragraph("Nothing is wrong that `lab status` looks at.")
    restarts = [f"{one.name} {one.restarts}" for one in facts.state.clusters if one.restarts]
    if restarts:
        yield Paragraph(f"Components of the engine ended by themselves, by cluster: {', '.join(restarts)}.")
    warnings = [one for one in facts.state.events if one.kind == "Warning"]
    if warnings:
        latest = sorted(warnings, key=lambda one: one.time)[-NOTABLE_EVENTS:]
        events = [(one.time, one.cluster, one.where, f"{one.reason}: {one.message}") for one in latest]
        title = f"Warnings of Kubernetes ({len(latest)} of {len(warnings)})"
        yield Folded(title, Table(("Time", "Cluster", "On", "What"), events))


def _verdict(facts: Facts) -> Iterable[Block]:
    yield Heading("Verdict of the last run")
    if facts.verdict is None:
        yield Paragraph("No scenario was run on this lab, or its record is gone.")
        return
    rounds = facts.verdict["rounds"]
    title = facts.verdict.get("title") or facts.lab
    yield Paragraph(
        f"{title}: {facts.verdict['verdict']}" + (f", {len(rounds)} rounds" if len(rounds) > 1 else "")
    )
    last = rounds[-1]
    rows = [
        (_held(one["ok"]), one["subject"], one["measure"], one["window"], one["wanted"], one["seen"])
        for one in sorted(last["expectations"], key=lambda one: one["ok"])
    ]
    columns = ("", "Traffic", "Measure", "Window", "Wanted", "Seen")
    yield Table(columns, rows, tones=[_tone(row[0] == "held") for row in rows])
    if events := last.get("events"):
        yield Folded("Timeline", Table(("At", "Step", "Healed"), [_event(one) for one in events]))


def _held(ok: bool) -> str:
    return "held" if ok else "failed"


def _event(event: Mapping[str, Any]) -> tuple[str, str, str]:
    healed = event.get("healed")
    return f"{event['began']:.1f} s", event["words"], "" if healed is None else f"{healed:.1f} s"


def _faults(facts: Facts) -> Iterable[Block]:
    yield Heading("Faults in force")
    if not facts.faults:
        yield Paragraph("None.")
        return
    rows = [(one["id"], one["kind"], one["target"], one["state"]) for one in facts.faults]
    yield Table(("Id", "Kind", "On", "State"), rows, tones=["warn"] * len(rows))


def _repro(facts: Facts) -> Iterable[Block]:
    yield Heading("Repro")
    what = (
        "replays its scenario and compares the verdict"
        if facts.verdict
        else "puts its faults in force and compares the state"
    )
    yield Paragraph(f"`lab repro` builds this lab again under another name, {what}.")
    yield Code(f"lab repro {facts.file}")
    if facts.programs:
        rows = [(use, one["name"], one["sha256"][:16] or "not found") for use, one in facts.programs.items()]
        yield Paragraph("It needs these programs on its PATH, which are not in the bundle:")
        yield Table(("For", "Program", "SHA-256"), rows, frozenset({"Program", "SHA-256"}))


def _missing(missing: Sequence[Missing]) -> Iterable[Block]:
    if missing:
        yield Heading("Could not be had")
        rows = [(one.part, one.reason) for one in missing]
        yield Table(("Part", "Reason"), rows, tones=["warn"] * len(rows))


def _versions(versions: Mapping[str, Any]) -> Iterable[Block]:
    yield Heading("Versions")
    if not versions:
        yield Paragraph("They could not be had.")
        return
    lab, machine = versions["lab"], versions["machine"]
    rows = [
        ("lab", f"{lab['version']} {lab['commit']}".strip()),
        ("Envoy", versions["envoy"]),
        ("Python", versions["python"]),
        ("kernel", versions["kernel"]),
        (
            "machine",
            f"{machine['system']}, {machine['architecture']}, {machine['processors']} processors, "
            f"{machine['memoryMiB'] / 1024:.1f} GiB, load {machine['load'][0]}, "
            f"{'root' if machine['root'] else 'not root'}",
        ),
    ]
    yield Table(("What", "Version"), rows)
    packages = sorted(versions["distributions"].items(), key=lambda one: str(one[0]).lower())
    yield Folded(f"{len(packages)} Python distributions", Table(("Name", "Version"), packages))


def _content(sizes: Mapping[str, int]) -> Iterable[Block]:
    yield Heading("What is in here")
    total = sum(sizes.values())
    yield Paragraph(
        f"{len(sizes)} files, {total / 1e6:.1f} MB unpacked. Data of Secrets, private keys, tokens, passwords"
        " and the names of user and home folder were replaced; words of your own programs may hold more."
    )
    yield Table(("Path", "Content"), WHAT_IS_WHERE, frozenset({"Path"}))
