"""``wattrail meter wave`` as a person types it."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from wattrail.cli.report.page import round_ticks
from wattrail.cli.report.wave_text import plot

TWIN = "twin://pziot-e01?scenario=house&seed=7"

pytestmark = pytest.mark.usefixtures("manual_clock")


def test_the_terminal_shows_curves_harmonics_and_how_far_to_trust_them(wattrail: Type) -> None:
    said = wattrail("meter", "wave", TWIN)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"{TWIN}\nSIMULATED")
    for word in ("Voltage", "Current", "THD", "crest factor", "Reactive", "Sampling:", "Scale:", "export"):
        assert word in said.out
    assert "\n20 " in said.out
    assert any("⠀" < letter <= "⣿" for letter in said.out)


def test_json_carries_every_harmonic_with_its_uncertainty(wattrail: Type) -> None:
    found = json.loads(wattrail("meter", "wave", TWIN, "--json").out)
    assert found["simulated"] is True
    assert [h["order"] for h in found["volts"]["harmonics"]] == list(range(1, 21))
    assert found["watts"] == pytest.approx(found["watts_by_register"], rel=0.005)
    assert found["sampling"]["reads_per_second"] > 8000
    assert found["steady"] is True


def test_csv_and_page_are_kept_and_marked(wattrail: Type) -> None:
    said = wattrail("meter", "wave", TWIN, "--csv", "w.csv", "--html", "w.html")
    assert "kept in w.csv" in said.err
    rows = Path("w.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "seconds,volts,amps,simulated"
    assert len(rows) == 257
    assert all(row.endswith(",yes") for row in rows[1:])
    page = Path("w.html").read_text(encoding="utf-8")
    assert "Simulated – digital twin" in page
    assert_self_contained(page)


def test_nothing_is_overwritten(wattrail: Type) -> None:
    Path("w.csv").write_text("precious")
    said = wattrail("meter", "wave", TWIN, "--csv", "w.csv")
    assert said.code == 2
    assert "w.csv exists already" in said.err
    assert Path("w.csv").read_text() == "precious"


def test_over_uart_the_answer_is_why_not_and_the_remedy(wattrail: Type) -> None:
    said = wattrail("meter", "wave", "twin://lspa9?watts=60")
    assert said.code == 2
    assert said.out == ""
    assert "12.5 ms at 4800 baud, 80 reads a second" in said.err
    assert "hint: wire the chip for SPI" in said.err


def test_no_load_shows_the_current_in_counts(wattrail: Type) -> None:
    said = wattrail("meter", "wave", "twin://pziot-e01?amps=0.001&noise=0")
    assert said.code == 0
    assert "counts" in said.out
    assert "unknown for the current: the chip calls it no load" in said.out


def test_a_curve_in_braille_has_its_ends_where_they_belong() -> None:
    lines = plot([1.0, -1.0], width=1, height=1, peak=1.0)
    assert lines == [chr(0x2800 + 0x01 + 0x10 + 0x20 + 0x80)]
    assert plot([0.0] * 8, width=4, height=3, peak=0.0)[1] != "⠀⠀⠀⠀"


def test_ticks_are_round() -> None:
    assert round_ticks(-3, 3, about=6) == [-3, -2, -1, 0, 1, 2, 3]
    assert round_ticks(0, 7, about=5) == [0, 2, 4, 6]


def assert_self_contained(page: str) -> None:
    for forbidden in ("<script", "http://", "https://", "src=", "<link", "@import", "url("):
        assert forbidden not in page, forbidden
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page
    start = 0
    while (start := page.find("<svg", start)) != -1:
        end = page.index("</svg>", start) + 6
        ElementTree.fromstring(page[start:end])
        start = end
