"""A bundle is somebody else's archive: what is none, is damaged or would do harm ends in one sentence."""

import gzip
import tarfile
from pathlib import Path
from random import Random

import pytest

from lab.base.errors import UsageError
from lab.ops.bundle.staging import FILE_LIMIT
from lab.ops.repro import archive
from tests.ops.repro.made import archive as packed
from tests.ops.repro.made import bundle, files, manifest, member

CONTENT = files(files__step_sh="#!/bin/sh\n")


def refused(file: Path, folder: Path) -> str:
    with pytest.raises(UsageError) as caught:
        archive.unpack(file, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    return folder


def test_only_what_is_read_is_unpacked(tmp_path: Path, place: Path) -> None:
    content = {**CONTENT, "index.html": "<h1>", "clusters/west/logs/x.log": "words"}
    said = archive.unpack(bundle(tmp_path / "b.tar.gz", content), place)
    assert said["lab"] == "small"
    there = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
    assert there == {*CONTENT, "manifest.json"}


def test_only_a_script_that_was_packed_as_one_can_be_executed(tmp_path: Path, place: Path) -> None:
    content = files(files__a_sh="#!/bin/sh\n", files__b_sh="#!/bin/sh\n")
    members = [member(f"small/{path}", text) for path, text in content.items()]
    members += [member("small/manifest.json", manifest(content))]
    next(info for info, _ in members if info.name.endswith("a.sh")).mode = 0o4755
    archive.unpack(packed(tmp_path / "b.tar.gz", members), place)
    modes = [(place / "files" / name).stat().st_mode & 0o7777 for name in ("a.sh", "b.sh")]
    assert modes == [0o700, 0o600]


@pytest.mark.parametrize(
    ("path", "more", "said"),
    [
        ("small/files/../../../evil", {}, "leads elsewhere"),
        ("/small/files/evil", {}, None),
        ("small/files/\x1b[2J", {}, "leads elsewhere"),
        ("small/files/evil", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, "no plain file"),
        ("small/files/evil", {"type": tarfile.LNKTYPE, "linkname": "small/topology.yaml"}, "no plain file"),
        ("small/files/evil", {"type": tarfile.FIFOTYPE}, "no plain file"),
        ("small/topology.yaml", {}, "is in it twice"),
        ("small/topology.yaml/x", {}, None),
        ("small/files/unlisted", {}, "not the file that was packed"),
        ("small/files/" + "x" * 400, {}, "larger than anything"),
    ],
)  # fmt: skip
def test_what_a_bundle_never_holds_is_refused(
    tmp_path: Path, place: Path, path: str, more: dict[str, object], said: str | None
) -> None:
    whole = {**CONTENT, "manifest.json": manifest(CONTENT)}
    members = [member(f"small/{one}", text) for one, text in whole.items()]
    members.append(member(path, "" if more else "evil", **more))
    file = packed(tmp_path / "b.tar.gz", members)
    if said is None:
        archive.unpack(file, place)  # nobody reads it
    else:
        assert said in refused(file, place)
    assert not (tmp_path / "evil").exists()


def test_a_file_beyond_the_limit_is_refused(tmp_path: Path, place: Path) -> None:
    file = bundle(tmp_path / "b.tar.gz", {**CONTENT, "files/big": "x" * (FILE_LIMIT + 1000)})
    assert "larger than anything" in refused(file, place)


def test_an_archive_that_unpacks_to_more_than_a_bundle_ends_the_reading(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive._Bounded, "left", 100_000)
    file = bundle(tmp_path / "b.tar.gz", {"clusters/zeros": "\0" * 1_000_000, **CONTENT})
    assert file.stat().st_size < 10_000
    assert "more than a bundle ever has" in refused(file, place)


def test_yaml_that_refers_to_itself_is_refused(tmp_path: Path, place: Path) -> None:
    file = bundle(tmp_path / "b.tar.gz", files("name: &a small\nclusters: {west: *a}\n"))
    assert "YAML aliases" in refused(file, place)


def test_a_file_that_was_changed_is_refused(tmp_path: Path, place: Path) -> None:
    whole = {**CONTENT, "topology.yaml": "name: other\n", "manifest.json": manifest(CONTENT)}
    file = packed(tmp_path / "b.tar.gz", [member(f"small/{path}", text) for path, text in whole.items()])
    assert "topology.yaml in it is not the file that was packed" in refused(file, place)


@pytest.mark.parametrize("kept", [0, 1, 30, 200, -1])
def test_a_part_of_a_bundle_is_refused(tmp_path: Path, place: Path, kept: int) -> None:
    whole = bundle(tmp_path / "whole.tar.gz", CONTENT).read_bytes()
    file = tmp_path / "part.tar.gz"
    file.write_bytes(whole[:kept])
    assert str(file) in refused(file, place)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be taken for a bundle"),
        ("[]", "is not that of a bundle"),
        (manifest(CONTENT, format=2), "this lab knows format 1"),
        ("[" * 100_000, "cannot be taken for a bundle"),
    ],
)
def test_a_manifest_of_another_shape_is_refused(tmp_path: Path, place: Path, text: str, said: str) -> None:
    whole = {**CONTENT, "manifest.json": text}
    file = packed(tmp_path / "b.tar.gz", [member(f"small/{path}", body) for path, body in whole.items()])
    assert said in refused(file, place)


def test_bytes_that_were_changed_end_in_a_sentence_or_do_no_harm(tmp_path: Path) -> None:
    """The archive inside the compression, so that its checksum does not catch the change before."""
    whole = gzip.decompress(bundle(tmp_path / "whole.tar.gz", CONTENT).read_bytes())
    dice, refusals = Random(5), 0
    for number in range(150):
        changed = bytearray(whole)
        for _ in range(dice.choice((1, 2, 5))):
            changed[dice.randrange(len(changed))] = dice.choice((0, 255, 0o71, *b"xLKS"))
        (tmp_path / "changed.tar.gz").write_bytes(gzip.compress(changed, 1))
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            archive.unpack(tmp_path / "changed.tar.gz", folder)
        except UsageError:
            refusals += 1
    assert refusals > 30
    assert {path.name for path in tmp_path.iterdir()} <= {
        "whole.tar.gz",
        "changed.tar.gz",
        *map(str, range(150)),
    }


def test_what_is_no_bundle_at_all_is_refused(tmp_path: Path, place: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("words")
    assert "is no bundle" in refused(text, place)
    assert "is a folder" in refused(tmp_path, place)
    assert refused(tmp_path / "none", place) == f"no bundle {tmp_path / 'none'}"
    assert "no manifest.json in it" in refused(packed(tmp_path / "t.tar.gz", []), place)
