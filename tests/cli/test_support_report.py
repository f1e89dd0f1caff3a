"""``wattrail report`` at the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Type


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_writes_a_file_named_by_the_day_and_never_over_another(wattrail: Type, here: Path) -> None:
    (here / "my.log").write_text("asked 192.168.178.30, ssid: Barn7\n")
    first = wattrail("report", "--add", "my.log")
    assert first.code == 0
    path = here / first.out.strip()
    text = path.read_text()
    assert "asked <address" in text
    assert "192.168" not in text
    assert "== What the doctor finds" in text
    again = wattrail("report")
    assert again.code == 2
    assert "is there already" in again.err
    assert path.read_text() == text


def test_it_prints_what_it_would_write(wattrail: Type, here: Path) -> None:
    done = wattrail("report", "--stdout")
    assert done.out.startswith("wattrail support report, ")
    assert list(here.glob("*report*")) == []


def test_a_dump_is_refused(wattrail: Type, here: Path) -> None:
    (here / "stock.bin").write_bytes(b"ssid\0Barn7" * 100)
    done = wattrail("report", "--stdout", "--add", "stock.bin")
    assert done.code == 2
    assert "is not a text" in done.err
    assert "Barn7" not in done.out + done.err


def test_a_file_without_an_end_is_refused(wattrail: Type) -> None:
    done = wattrail("report", "--stdout", "--add", "/dev/zero")
    assert done.code == 2
    assert "/dev/zero is not a text of at most 20 MB" in done.err
