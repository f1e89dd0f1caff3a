"""The diagnosis: what a session went through becomes a symptom, its causes in order, and the next thing to do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattrail.bootrom.commands import Responder
from wattrail.diagnosis.rules import CAUSES
from wattrail.diagnosis.session_statistics import LOADS, Loss, SessionStatistics, Stage
from wattrail.diagnosis.symptoms import SYMPTOMS, coach, diagnose
from wattrail.line_classifier import LineReport, TrafficKind, classify

ANSWER = bytes.fromhex("04 0E 05 01 E0 FC 01 00")
LINK_CHECK = bytes.fromhex("01 E0 FC 01 00")
HEARTBEAT = classify(bytes.fromhex("55 AA 00 00 00 00 FF") * 3, 9600)
REPORT = classify(bytes.fromhex("55 AA 03 07 00 08 05 02 00 04 00 00 00 1E 3A"), 9600)
CSE7766 = bytes.fromhex("55 5A 02 E9 50 00 03 31 00 3E 9E 00 0D 30 4F 44 F8 00 12 65 F1 81 76 72")
BANNER = classify(b"V:BK7231N_1.0.1\r\n", 115200)
LOG = classify(b"Info:MAIN:Time 5, idle 0/s, free 77000, MQTT off\r\n", 115200)

READS_FINE = {Stage.READ: 118, Stage.BAUD: 1, Stage.IDENTIFY: 4}


def lost(stage: Stage, was_reset: bool | None, traffic: TrafficKind = TrafficKind.SILENCE, baud: int = 921600) -> Loss:
    return Loss(stage, baud, was_reset, traffic)


def seeking(*line_reports: LineReport, seconds: float = 12, **more) -> SessionStatistics:
    """Link checks, no link yet."""
    return SessionStatistics(seconds=seconds, line_reports=line_reports, **more)


def linked(*losses: Loss, **more) -> SessionStatistics:
    """Linked, and lost so often."""
    return SessionStatistics(seconds=80, links=1 + len(losses), losses=losses, **{"done": READS_FINE, **more})


def first(history: SessionStatistics) -> str:
    return diagnose(history).causes[0].name


def place(history: SessionStatistics, name: str) -> int:
    names = [cause.name for cause in diagnose(history).causes]
    return names.index(name) if name in names else len(names)


# ---- symptoms, and the cause that comes first

STORIES = {
    "a chip that nobody has reset": (seeking(), "no-answer", "not-reset"),
    "zeros and nothing else": (seeking(classify(bytes(40), 115200)), "line-low", "unpowered"),
    "our own bytes": (seeking(classify(LINK_CHECK * 9, 115200, sent=LINK_CHECK)), "own-echo", "short"),
    "noise at every rate": (seeking(classify(b"\x93\xe2\x17" * 9, 115200)), "garbage", "no-ground"),
    "a TuyaMCU that the module talks to": (seeking(HEARTBEAT), "second-talker", "second-device"),
    "a TuyaMCU that talks to the module": (seeking(REPORT), "second-talker", "swapped"),
    "a CSE7766 that talks to the module": (seeking(classify(CSE7766, 4800)), "second-talker", "swapped"),
    "a BL0942 that is asked": (seeking(classify(b"\x58\xaa" * 3, 4800)), "second-talker", "second-device"),
    "one boot banner": (seeking(BANNER), "log-heard", "second-uart"),
    "a banner each second": (seeking(classify(b"V:BK7231N_1.0.1\r\n" * 9, 115200)), "reboot-loop", "sagging-supply"),
    "the log of a firmware": (seeking(LOG), "log-heard", "not-reset"),
    "half an answer": (seeking(classify(ANSWER[:6], 115200)), "half-answers", "second-device"),
    "an answer at 921600 baud": (seeking(classify(ANSWER, 921600)), "other-rate", "left-at-rate"),
    "three answers, each the last": (
        seeking(losses=(lost(Stage.LINK, None, baud=115200),) * 3), "lost-again", "sagging-supply",
    ),
    "a reset at the change of rate": (linked(lost(Stage.BAUD, True)), "reset-on-rate-change", "sagging-supply"),
    "a reset in the first erase": (linked(lost(Stage.ERASE, True)), "reset-on-erase", "sagging-supply"),
    "a write it never came back from": (linked(lost(Stage.WRITE, None)), "reset-on-write", "sagging-supply"),
    "a reset while unprotecting": (linked(lost(Stage.UNPROTECT, True)), "reset-on-write", "sagging-supply"),
    "resets in reading and writing": (
        linked(lost(Stage.READ, True), lost(Stage.WRITE, True), lost(Stage.CHECK, True)),
        "lost-again", "sagging-supply",
    ),
    "a CP2102 at 921600 baud": (
        linked(lost(Stage.BAUD, None), failed_rates=(921600,), adapter="CP2102"),
        "reset-on-rate-change", "adapter-rate",
    ),
    "garbage at the new rate": (
        linked(lost(Stage.BAUD, None, TrafficKind.GARBAGE), failed_rates=(921600,)), "rate-refused", "adapter-rate",
    ),
    "a rate given up, the old one kept": (linked(failed_rates=(2_000_000,)), "rate-refused", "adapter-rate"),
    "losses everywhere, never a restart": (
        linked(lost(Stage.READ, False), lost(Stage.WRITE, False), damaged={Stage.READ: 9, Stage.WRITE: 8}),
        "bytes-lost", "long-wires",
    ),
    "a rate that damages too much": (
        linked(failed_rates=(2_000_000,), damaged={Stage.READ: 7}), "bytes-lost", "long-wires",
    ),
    "a PL2303 and repeated reads": (
        linked(damaged={Stage.READ: 9}, adapter="PL2303"), "bytes-lost", "adapter-loses-bytes",
    ),
    "erases that change nothing": (linked(unchanged=2), "protected", "protected-flash"),
    "an adapter that goes away": (linked(cable_lost=2), "cable-lost", "usb-drops"),
    "a bridge that goes away": (linked(cable_lost=2, network=True), "cable-lost", "bridge-drops"),
    "an adapter that goes away at each reset": (seeking(cable_lost=1), "cable-lost", "cen-short"),
}  # fmt: skip


@pytest.mark.parametrize("story", STORIES)
def test_each_story_has_its_symptom_and_its_likeliest_cause(story: str) -> None:
    history, symptom, cause = STORIES[story]
    found = diagnose(history)
    assert (found.symptom, found.causes[0].name) == (symptom, cause)


def test_a_link_without_trouble_needs_no_cause() -> None:
    found = diagnose(linked())
    assert (found.symptom, found.causes) == ("linked", ())
    assert "nothing is wrong" in coach(linked())


def test_every_symptom_but_one_has_a_story_and_every_cause_belongs_to_one() -> None:
    told = {diagnose(history) for history, _, _ in STORIES.values()}
    assert {found.symptom for found in told} | {"linked"} == {symptom.name for symptom in SYMPTOMS}
    assert {cause.name for found in told for cause in found.causes} == {known.name for known in CAUSES}


# ---- the supply that sags

LOAD_LOSSES = st.lists(
    st.builds(
        Loss,
        stage=st.sampled_from(LOADS),
        baud=st.sampled_from((115200, 460800, 921600)),
        was_reset=st.sampled_from((True, None)),
        traffic=st.sampled_from((TrafficKind.SILENCE, TrafficKind.TEXT, TrafficKind.BREAK)),
    ),
    min_size=1,
    max_size=6,
).map(tuple)


@given(
    losses=LOAD_LOSSES,
    reads=st.integers(1, 500),
    changes=st.integers(0, 5),
    failed=st.lists(st.sampled_from((460800, 921600, 2_000_000)), max_size=3).map(tuple),
    adapter=st.sampled_from((None, "CH340", "FT232", "PL2303")),
    reset=st.sampled_from(("rts", "dtr", "manual")),
    responder=st.sampled_from((None, *Responder)),
    seconds=st.floats(0, 600),
)
def test_losses_under_load_after_good_reads_are_the_supply(
    losses, reads, changes, failed, adapter, reset, responder, seconds
) -> None:
    done = {Stage.READ: reads, Stage.BAUD: changes}
    damaged = {loss.stage: 1 for loss in losses}
    history = SessionStatistics(
        seconds=seconds, links=len(losses), losses=losses, done=done, damaged=damaged, failed_rates=failed,
        adapter=adapter, reset=reset, responder=responder,
    )  # fmt: skip
    assert first(history) == "sagging-supply"


@given(st.integers(1, 6), st.integers(0, 500), st.sampled_from((None, "CH340", "CP2102", "PL2303")))
def test_equal_losses_at_reads_and_writes_are_not_the_supply(count, reads, adapter) -> None:
    losses = (lost(Stage.READ, False), lost(Stage.WRITE, False)) * count
    damaged = {Stage.READ: count, Stage.WRITE: count}
    history = linked(*losses, done={Stage.READ: reads}, damaged=damaged, adapter=adapter)
    assert diagnose(history).symptom == "bytes-lost"
    assert place(history, "sagging-supply") > 1


@given(st.floats(0, 29))
def test_silence_is_first_a_missing_reset_then_swapped_wires(seconds: float) -> None:
    names = [cause.name for cause in diagnose(seeking(seconds=seconds)).causes]
    assert names[:2] == ["not-reset", "swapped"]
    assert "sagging-supply" not in names[:4]


@given(st.floats(31, 3600), st.integers(3, 500), st.sampled_from(("rts", "dtr", "manual")))
def test_silence_after_many_resets_suggests_a_supply_too_weak_to_start(seconds, pulses, reset) -> None:
    history = seeking(seconds=seconds, pulses=pulses if reset != "manual" else 0, reset=reset)
    names = [cause.name for cause in diagnose(history).causes]
    assert set(names[:3]) == {"not-reset", "swapped", "sagging-supply"}


def test_evidence_for_and_against_the_supply_is_given_with_numbers() -> None:
    for_it = diagnose(
        linked(lost(Stage.ERASE, True, TrafficKind.TEXT), lost(Stage.WRITE, None, TrafficKind.BREAK))
    ).causes[0]
    said = "\n".join(for_it.because)
    for part in ("118 reads went well", "after erase and write, 2 times", "firmware was heard", "the line fell"):
        assert part in said
    carried = linked(lost(Stage.BAUD, None), done={**READS_FINE, Stage.ERASE: 40, Stage.WRITE: 40})
    sag = next(cause for cause in diagnose(carried).causes if cause.name == "sagging-supply")
    assert "against it: 80 erases and writes went well, which load the supply more" in sag.because
    assert sag.likelihood < diagnose(linked(lost(Stage.BAUD, None))).causes[0].likelihood


def test_a_sagging_supplys_remedy_names_current_wires_and_capacitor() -> None:
    remedy = diagnose(linked(lost(Stage.ERASE, True))).causes[0].remedy
    for part in ("500 mA", "short", "470 to 1000 uF", "grounds"):
        assert part in remedy


# ---- what moves the other causes


def test_clicks_of_a_reset_are_not_a_symptom_but_show_that_rx_is_wired() -> None:
    clicked = seeking(classify(b"\0", 115200), seconds=5)
    assert diagnose(clicked).symptom == "no-answer"
    assert place(clicked, "swapped") > place(seeking(seconds=5), "swapped")
    assert place(clicked, "unpowered") < place(seeking(seconds=5), "unpowered")
    assert diagnose(seeking(classify(bytes(4), 115200), seconds=40)).symptom == "no-answer", "one now and then"


def test_banners_that_follow_our_own_resets_are_a_log_and_no_loop() -> None:
    banners = classify(b"V:BK7231N_1.0.1\r\n" * 9, 115200)
    assert diagnose(seeking(banners, seconds=12)).symptom == "reboot-loop"
    for history in (seeking(banners, seconds=12, reset="rts", pulses=24), seeking(banners, seconds=60)):
        assert (diagnose(history).symptom, first(history)) == ("log-heard", "second-uart")


def test_a_long_wait_makes_a_missing_reset_less_likely() -> None:
    assert diagnose(seeking(seconds=90)).causes[0].likelihood < diagnose(seeking(seconds=5)).causes[0].likelihood


def test_pulses_in_vain_point_at_the_reset_line() -> None:
    pulsed = seeking(reset="rts", pulses=24)
    assert place(pulsed, "lines-held") < place(seeking(), "lines-held")
    assert "against it: RTS was pulsed 24 times and no answer followed" in diagnose(pulsed).causes[0].because


def test_a_bootloader_silent_after_an_erase_may_have_erased_itself() -> None:
    rom = linked(lost(Stage.ERASE, None), responder=Responder.BOOT_ROM)
    loader = linked(lost(Stage.ERASE, None), responder=Responder.BOOTLOADER)
    assert place(loader, "bootloader-lost") < place(rom, "bootloader-lost")
    assert "SPI" in next(cause.remedy for cause in diagnose(loader).causes if cause.name == "bootloader-lost")


def test_a_restart_that_was_heard_clears_the_adapter_s_rate() -> None:
    silent, heard = (linked(lost(Stage.BAUD, True, sound)) for sound in (TrafficKind.SILENCE, TrafficKind.TEXT))
    shares = [{c.name: c.likelihood for c in diagnose(h).causes}.get("adapter-rate", 0) for h in (silent, heard)]
    assert shares[1] < shares[0]


def test_a_cable_that_came_back_once_does_not_hide_later_restarts() -> None:
    history = linked(lost(Stage.ERASE, True), lost(Stage.ERASE, True), cable_lost=1)
    assert diagnose(history).symptom == "reset-on-erase"


# ---- what is known excludes causes


def names(history: SessionStatistics) -> list[str]:
    return [cause.name for cause in diagnose(history).causes]


def test_a_chip_whose_boot_rom_has_answered_has_lost_no_bootloader() -> None:
    for stage in (Stage.ERASE, Stage.WRITE):
        assert "bootloader-lost" not in names(linked(lost(stage, None), responder=Responder.BOOT_ROM))
        assert "bootloader-lost" in names(linked(lost(stage, None), responder=Responder.BOOTLOADER))
    assert "bootloader-lost" not in names(seeking(responder=Responder.BOOT_ROM)), "also while it is sought again"


def test_a_module_that_is_heard_has_its_tx_at_our_rx() -> None:
    assert "swapped" not in names(seeking(HEARTBEAT))
    assert names(seeking(REPORT))[0] == "swapped"


def test_a_chip_that_answers_or_boots_is_not_held_in_reset() -> None:
    banners = classify(b"V:BK7231N_1.0.1\r\n" * 9, 115200)
    for history in (seeking(banners), linked(*(lost(Stage.READ, True),) * 3)):
        assert "lines-held" not in names(history)


def test_a_bridge_does_not_drop_off_the_usb() -> None:
    assert names(linked(cable_lost=2, network=True))[0] == "bridge-drops"
    assert not {"usb-drops", "cen-short"} & set(names(seeking(cable_lost=1, network=True)))
    assert "bridge-drops" not in names(linked(cable_lost=2))


def test_flash_that_did_not_change_at_all_is_not_the_supply() -> None:
    assert names(linked(unchanged=3)) == ["protected-flash"]


@given(st.floats(0, 29))
def test_total_silence_lists_power_and_ground_before_what_is_rare(seconds: float) -> None:
    listed = names(seeking(seconds=seconds))
    assert listed[:4] == ["not-reset", "swapped", "unpowered", "no-ground"]


# ---- any history

HEARINGS = st.builds(
    classify,
    st.one_of(
        st.binary(max_size=60),
        st.sampled_from(
            (ANSWER, ANSWER[:5], LINK_CHECK * 5, bytes(20), b"\x58\xaa", HEARTBEAT.shown, REPORT.shown, LOG.shown)
        ),
    ),
    st.sampled_from((4800, 9600, 115200, 921600)),
)
COUNTS = st.dictionaries(st.sampled_from(Stage), st.integers(0, 99))
LOSSES = st.builds(
    Loss,
    st.sampled_from(Stage),
    st.sampled_from((115200, 921600)),
    st.sampled_from((True, False, None)),
    st.sampled_from(TrafficKind),
)
HISTORIES = st.builds(
    SessionStatistics,
    seconds=st.floats(0, 1e5),
    links=st.integers(0, 5),
    line_reports=st.lists(HEARINGS, max_size=5).map(tuple),
    losses=st.lists(LOSSES, max_size=6).map(tuple),
    done=COUNTS,
    damaged=COUNTS,
    failed_rates=st.lists(st.sampled_from((460800, 921600)), max_size=2).map(tuple),
    reset=st.sampled_from(("rts", "dtr", "manual")),
    pulses=st.integers(0, 99),
    adapter=st.sampled_from((None, "CP2102", "PL2303", "CH340", "FT232", "something")),
    cable_lost=st.integers(0, 3),
    unchanged=st.integers(0, 2),
    responder=st.sampled_from((None, *Responder)),
    simulated=st.booleans(),
)


@given(HISTORIES)
def test_there_is_always_an_ordered_diagnosis_that_json_can_carry(history: SessionStatistics) -> None:
    found = diagnose(history)
    shares = [cause.likelihood for cause in found.causes]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 1
    assert bool(found.causes) == (found.symptom != "linked")
    told = json.loads(json.dumps(found.as_dict()))
    assert [cause["name"] for cause in told["causes"]] == [cause.name for cause in found.causes]
    assert told["simulated"] == history.simulated


@given(HISTORIES)
def test_whatever_happened_is_reported_in_lines_and_in_one_line(history: SessionStatistics) -> None:
    found = diagnose(history)
    lines = found.lines()
    assert all(line and "\n" not in line for line in [*lines, coach(history)])
    assert found.words in lines
    assert lines[0].startswith("SIMULATED") == history.simulated
    assert all(cause.name in lines[-2] for cause in found.causes[6:])
    assert lines[-1] == f"more: docs/troubleshooting.md#{found.symptom}"


# ---- coaching


def test_the_live_line_asks_for_a_reset_first_and_then_for_other_checks() -> None:
    said = [coach(seeking(seconds=seconds)) for seconds in (0, 5, 15, 25, 35)]
    assert said[0] == said[1], "it does not flicker"
    assert said[0].startswith("No answer yet. Reset the module now: short CEN")
    assert "Swap TX and RX" in said[2]
    assert "Reset the module now" in said[3]
    assert "a stronger 3.3 V supply" in said[4]
    assert "after 30 s" in said[4]


def test_the_live_line_says_what_is_heard_and_what_was_lost() -> None:
    assert coach(seeking(HEARTBEAT, seconds=3)).startswith(
        "Received: a TuyaMCU talking with the module at 9600 baud. Silence the other device"
    )
    more = classify(bytes.fromhex("55 AA 00 00 00 00 FF") * 9, 9600)
    assert coach(seeking(HEARTBEAT, seconds=3)) == coach(seeking(more, seconds=4)), "counts alone say nothing new"
    assert coach(linked(lost(Stage.ERASE, True))).startswith("The link was lost: erase. Put a stronger 3.3 V supply")
    assert coach(linked(lost(Stage.ERASE, True))).endswith("Reset the module to continue.")
    assert coach(seeking(losses=(lost(Stage.LINK, None),))).startswith("The chip answered, and was gone again.")
    assert coach(seeking(classify(b"\0", 115200), seconds=1)).startswith("A click and no answer yet.")


# ---- the page

PAGE = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text(encoding="utf-8")


def sections(part: str) -> dict[str, str]:
    """Third-level parts of a second-level part, by the anchor of their heading."""
    text = re.split(r"^## ", PAGE.split(f"\n## {part}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]
    pieces = re.split(r"^### ", text, flags=re.MULTILINE)[1:]
    return {piece.splitlines()[0].lower().replace(" ", "-"): piece for piece in pieces}


def test_every_symptom_and_cause_is_in_the_page_and_no_other() -> None:
    assert list(sections("Symptoms")) == [symptom.name for symptom in SYMPTOMS]
    assert list(sections("Causes")) == [known.name for known in CAUSES]
    assert not set(sections("Symptoms")) & set(sections("Causes"))


@pytest.mark.parametrize("symptom", [symptom.name for symptom in SYMPTOMS])
def test_the_page_lists_a_symptom_s_causes_in_the_table_s_order(symptom: str) -> None:
    listed = re.findall(r"^\d+\. \[[^\]]+\]\(#([a-z0-9-]+)\)", sections("Symptoms")[symptom], flags=re.MULTILINE)
    known = [cause for cause in CAUSES if symptom in cause.explains]
    assert listed == [cause.name for cause in sorted(known, key=lambda cause: -cause.explains[symptom])]


def test_links_within_the_page_lead_to_headings() -> None:
    headings = re.findall(r"^#+ (.+)$", PAGE, flags=re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= anchors


def test_the_table_names_no_symptom_that_is_not_looked_for() -> None:
    assert {name for cause in CAUSES for name in cause.explains} == {symptom.name for symptom in SYMPTOMS} - {"linked"}
    assert len({cause.name for cause in CAUSES}) == len(CAUSES)
