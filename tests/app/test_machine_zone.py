"""The zone of the site has a name also where nobody wrote one: a browser in another zone must not show its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattrail.app.machine_zone import machine_zone, site_zone


@pytest.fixture
def localtime(tmp_path: Path) -> Path:
    link = tmp_path / "localtime"
    link.symlink_to("/usr/share/zoneinfo/America/Argentina/Ushuaia")
    return link


def test_the_zone_of_the_machine_is_read_from_its_link(localtime: Path, tmp_path: Path) -> None:
    assert machine_zone(localtime) == "America/Argentina/Ushuaia"
    assert machine_zone(tmp_path / "none") is None


def test_a_configured_zone_wins(localtime: Path) -> None:
    assert site_zone("Europe/Berlin", localtime, {"TZ": "Asia/Tokyo"}) == "Europe/Berlin"


def test_the_variable_wins_over_the_link(localtime: Path) -> None:
    assert site_zone(None, localtime, {"TZ": ":Asia/Tokyo"}) == "Asia/Tokyo"
    assert site_zone(None, localtime, {"TZ": ""}) == "UTC"
    assert site_zone(None, localtime, {}) == "America/Argentina/Ushuaia"


def test_a_machine_without_a_zone_is_in_utc(tmp_path: Path) -> None:
    assert site_zone(None, tmp_path / "none", {}) == "UTC"


@pytest.mark.parametrize("name", ["CET-1CEST,M3.5.0,M10.5.0/3", "/etc/localtime", "../../etc/passwd", "Mars/Olympus"])
def test_a_zone_that_no_browser_knows_has_no_name(localtime: Path, name: str) -> None:
    assert site_zone(None, localtime, {"TZ": name}) is None


def test_a_zone_that_is_a_copy_has_no_name(tmp_path: Path) -> None:
    (tmp_path / "localtime").write_bytes(b"TZif")
    assert site_zone(None, tmp_path / "localtime", {}) is None


@pytest.mark.parametrize("name", ["posix/Europe/Berlin", "right/Europe/Berlin", "Factory"])
def test_names_of_the_zone_database_alone_are_not_given_to_a_browser(tmp_path: Path, name: str) -> None:
    (tmp_path / "zoneinfo").mkdir()
    target = tmp_path / "zoneinfo" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(b"TZif")
    (tmp_path / "localtime").symlink_to(target)
    assert site_zone(None, tmp_path / "localtime", {}) is None
