"""What is kept of the boards: listed, put back by name, and pruned without losing a board's first content."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from tests.cli.flash.conftest import Bench, board, written


def third_bin() -> str:
    path = Path("third.bin")
    path.write_bytes(board("N", 3).qio)
    return str(path)


def backups_of(wattrail: Type, *words: str) -> list[dict[str, object]]:
    (found,) = json.loads(wattrail("flash", "backups", *words, "--json").out)["boards"]
    return found["backups"]


def test_after_two_firmwares_the_way_back_is_to_the_stock_one(flash: Type, bench: Bench, new_bin: Path) -> None:
    for image in (str(new_bin), third_bin(), third_bin()):
        assert flash("write", image).code == 0
    said = flash("restore")
    assert said.code == 0
    assert ", the original; 1 more are kept: wattrail flash backups" in said.err
    assert bench.flash == bench.before


def test_a_write_that_changes_nothing_says_so_and_keeps_nothing(flash: Type, wattrail: Type, new_bin: Path) -> None:
    assert flash("write", str(new_bin)).code == 0
    said = flash("write", str(new_bin))
    assert "backup      none: nothing was changed" in said.out
    assert len(backups_of(wattrail)) == 1


def test_backups_are_listed_with_what_they_are(flash: Type, wattrail: Type, bench: Bench, new_bin: Path) -> None:
    stock = bench.flash
    for image in (str(new_bin), third_bin()):
        assert flash("write", image).code == 0
    said = wattrail("flash", "backups")
    assert said.code == 0
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert lines[0] == "bk7231n-1560eb-cde5e5f9 (SIMULATED: a twin)"
    assert " original tuya 2048 KiB " in lines[1]
    assert " later " in lines[2]
    first = backups_of(wattrail, "bk7231n")[0]
    assert (first["origin"], first["sha256"], first["bytes"]) == ("original", sha256(stock).hexdigest(), len(stock))
    manual = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
    section = manual.partition("\n## wattrail flash backups\n")[2].partition("\n## ")[0]
    assert {field for field in first if f"`{field}`" not in section} == set()
    assert json.loads(wattrail("flash", "backups", "bk7231t", "--json").out) == {"boards": []}


def test_a_later_backup_is_put_back_by_its_name_or_its_hash(
    flash: Type, wattrail: Type, bench: Bench, new_bin: Path
) -> None:
    for image in (str(new_bin), third_bin()):
        assert flash("write", image).code == 0
    later = backups_of(wattrail)[1]
    assert flash("restore", Path(str(later["file"])).name).code == 0
    assert bench.flash == written()
    assert flash("restore", str(backups_of(wattrail)[0]["sha256"])[:10]).code == 0
    assert bench.flash == bench.before
    said = flash("restore", "backup-")
    assert (said.code, "fits 3 backups: " in said.err) == (2, True)


def test_pruning_keeps_the_first_and_the_newest(flash: Type, wattrail: Type, bench: Bench, new_bin: Path) -> None:
    for image in (str(new_bin), third_bin(), str(new_bin)):
        assert flash("write", image).code == 0
    assert flash("erase", "--part", "config").code == 0
    assert len(backups_of(wattrail)) == 3  # the last but one had the second's content
    said = wattrail("flash", "backups", "--prune", "--keep", "0", "--dry-run")
    assert "2 files with 4096 KiB would be removed; nothing was" in said.err
    assert len(backups_of(wattrail)) == 3
    said = wattrail("flash", "backups", "--prune")
    assert "1 files with 2048 KiB were removed" in said.err
    assert [kept["origin"] for kept in backups_of(wattrail)] == ["original", "later"]
    assert "1 files" in wattrail("flash", "backups", "--prune", "--keep", "0").err
    (first,) = backups_of(wattrail)
    assert Path(str(first["file"])).read_bytes() == bench.before


def test_nothing_is_pruned_of_a_board_that_is_half_written(
    flash: Type, wattrail: Type, bench: Bench, new_bin: Path
) -> None:
    assert flash("write", third_bin()).code == 0
    bench.ctrl_c("writing", 0.3)
    assert flash("write", str(new_bin)).code == 130
    before = backups_of(wattrail)
    said = wattrail("flash", "backups", "--prune", "--keep", "0")
    assert "did not end: flash may be half-written" in said.out
    assert "0 files with 0 KiB were removed" in said.err
    assert backups_of(wattrail) == before


def test_a_cut_write_is_not_forgotten_after_a_smaller_one(
    flash: Type, wattrail: Type, bench: Bench, new_bin: Path
) -> None:
    """Before, the smaller one closed the journal, and the half-written flash was the next backup that was put back."""
    stock = bench.flash
    bench.ctrl_c("writing", 0.3)
    assert flash("write", str(new_bin)).code == 130
    half = bench.flash
    assert flash("erase", "--part", "config").code == 0
    assert "did not end: flash may be half-written" in flash("info").out
    assert "did not end: flash may be half-written" in flash("verify", str(new_bin)).err
    assert flash("restore").code == 0
    assert bench.flash == stock
    assert "unfinished" not in flash("info").out
    whole = [kept for kept in backups_of(wattrail) if kept["origin"] != "half-written"]
    assert all(Path(str(kept["file"])).read_bytes() != half for kept in whole)


def test_where_the_original_is_gone_nothing_else_is_put_back_in_its_place(
    flash: Type, wattrail: Type, bench: Bench, new_bin: Path
) -> None:
    for image in (str(new_bin), third_bin()):
        assert flash("write", image).code == 0
    Path(str(backups_of(wattrail)[0]["file"])).unlink()
    now = bench.flash
    said = flash("restore")
    assert said.code == 5
    assert "no kept backup of the board bk7231n-1560eb-cde5e5f9 is its original, only 1 later ones" in said.err
    assert bench.flash == now


def test_a_board_without_identity_is_restored_from_a_backup_that_is_named(
    flash: Type, wattrail: Type, bench: Bench, new_bin: Path
) -> None:
    blank = bytearray(board("N").dump)
    blank[0x1D0000:0x1D1000] = b"\xff" * 0x1000  # no RF block, so no MAC address
    bench.build("N", image=bytes(blank))
    assert flash("write", str(new_bin)).code == 0
    said = flash("restore")
    assert (said.code, "so no kept backup can be identified as its own" in said.err) == (5, True)
    (kept,) = backups_of(wattrail)
    assert flash("restore", Path(str(kept["file"])).name).code == 0
    assert bench.flash == blank


def test_a_file_that_appears_while_a_part_is_read_is_not_replaced(flash: Type, bench: Bench) -> None:
    bench.when("reading", 1.0, lambda: Path("part.bin").write_bytes(b"mine"))
    said = flash("read", "part.bin", "--part", "config")
    assert (said.code, "part.bin exists already" in said.err) == (2, True)
    assert Path("part.bin").read_bytes() == b"mine"


@pytest.mark.parametrize("words", [("--keep", "-1"), ("--dry-run",)])
def test_what_cannot_be_meant_is_refused(wattrail: Type, words: tuple[str, ...]) -> None:
    assert wattrail("flash", "backups", *words).code == 2
    assert wattrail("flash", "backups").out == "no backup is kept\n"
