"""The README's own words, run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from bench.__main__ import BENCHMARKS, write_tables
from bench.__main__ import main as bench
from bench.table import HEADLINES, Row, headlines

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_runs_and_prints_what_flows(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    assert float(capsys.readouterr().out) == pytest.approx(1150, rel=0.01)


def test_every_target_the_readme_names_is_listed_by_a_bare_make() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in set(re.findall(r"`?make ([a-z]+)`?", README)):
        assert f"make {target}" in listed


def test_importing_wattrail_loads_nothing_beyond_the_standard_library() -> None:
    program = (
        "import sys; before = set(sys.modules); import wattrail; "
        "print(*sorted({m.partition('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert found.split() == ["wattrail"]


def test_the_public_door_is_pinned() -> None:
    import wattrail

    assert wattrail.__all__ == [
        "Calibration",
        "Flasher",
        "FrontEnd",
        "Image",
        "Ledger",
        "ManualClock",
        "Meter",
        "MeteringChip",
        "Quantities",
        "Reading",
        "Register",
        "SystemClock",
        "WattrailError",
        "open_flasher",
        "open_meter",
        "open_port",
        "open_twin",
        "recognise",
    ]
    assert all(getattr(wattrail, name) is not None for name in wattrail.__all__)
    with pytest.raises(AttributeError, match="no attribute 'utils'"):
        _ = wattrail.utils


def test_the_status_says_that_no_real_board_was_met_yet() -> None:
    assert "No real board has been read or flashed by wattrail yet" in README.partition("## ")[0]


def test_the_journey_names_every_noun_and_the_calibration_verbs() -> None:
    from wattrail.cli.verbs import NOUNS, VERBS

    journey = README.partition("## The journey")[2].partition("\n## ")[0]
    assert all(noun in journey for noun in NOUNS)
    for verb in VERBS:
        if verb.words.startswith("calibration "):
            assert verb.words in journey


def test_where_to_read_on_comes_before_the_numbers() -> None:
    assert README.index("## Read on") < README.index("## Numbers")


ROWS = [
    Row(f"{start} and more", "1", "2", "3", met=index % 2 == 0)
    for index, start in enumerate([*HEADLINES, HEADLINES[0], "another"])
]


def test_the_benchmark_writes_ten_rows_here_and_all_to_the_numbers_page(tmp_path: Path) -> None:
    readme, numbers = tmp_path / "README.md", tmp_path / "numbers.md"
    for page in (readme, numbers):
        page.write_text("before\n<!-- bench: x -->\nold\n<!-- end of bench -->\nafter\n")
    write_tables(ROWS, "one machine", readme=readme, numbers=numbers)
    for page, rows in ((readme, 10), (numbers, 12)):
        text = page.read_text()
        assert text.startswith("before\n<!-- bench: x -->\n| what ")
        assert text.endswith("one machine.\n<!-- end of bench -->\nafter\n")
        assert text.count(" and more |") + text.count("| another |") == rows


def test_one_benchmark_runs_by_its_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in BENCHMARKS:
        monkeypatch.setattr(f"bench.{name}.rows", lambda name=name: [Row(f"row of {name}", "1", "2", "3", met=True)])
    assert bench(["day", "packing"]) == 0
    said = capsys.readouterr()
    assert re.findall(r"row of (\w+)", said.out) == ["day", "packing"]
    assert said.err == "... day\n... packing\n"
    assert bench([]) == 0
    assert re.findall(r"row of (\w+)", capsys.readouterr().out) == list(BENCHMARKS)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (
            ["dya"],
            "no benchmark dya; known: help_time, twin_speed, day, bookkeeping, corruption, packing, flashing, dat",
        ),
        (["day", "--readme"], "--readme writes whole tables: leave out the names"),
    ],
)
def test_a_benchmark_that_is_not_there_is_answered_with_those_that_are(
    words: list[str], answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        bench(words)
    assert ended.value.code == 2
    assert answer in capsys.readouterr().err


def test_a_headline_that_no_row_has_is_named() -> None:
    with pytest.raises(LookupError, match="no row of the benchmark begins with"):
        headlines(ROWS[1:9])


def test_the_tables_in_the_documents_are_those_that_the_benchmark_writes() -> None:
    numbers = (ROOT / "docs/numbers.md").read_text(encoding="utf-8")
    ours = re.findall(r"^\| .* \|$", README.partition("<!-- bench")[2], re.MULTILINE)[1:]
    all_rows = re.findall(r"^\| .* \|$", numbers, re.MULTILINE)
    assert len(ours) == 10
    assert set(ours) <= set(all_rows)
    for start in HEADLINES:
        assert sum(row.startswith(f"| {start}") for row in ours) == 1
