"""What a person and a program learn when the link does not come: the traffic, its rate, causes with evidence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flasher.desk import Desk
from wattrail.bootrom import Responder
from wattrail.diagnosis import Loss, SessionStatistics, Stage, diagnose
from wattrail.errors import LinkFailed
from wattrail.line_classifier import TrafficKind


def test_a_second_device_is_named_with_the_rate_at_which_it_talks(tmp_path: Path) -> None:
    desk = Desk(tmp_path, reset=None, helpful=False, app="tuyamcu")
    with desk.flasher(patience_s=20) as flasher:
        with pytest.raises(LinkFailed, match="Heard: "):
            flasher.connect()
        heard = flasher.statistics.heard
    assert heard is not None
    assert (heard.kind, heard.baud) == (TrafficKind.TUYA_MCU, 9600)


LOST = Loss(Stage.ERASE, 921600, was_reset=True, traffic=TrafficKind.TEXT)
SAGS = SessionStatistics(
    links=2,
    losses=(LOST, Loss(Stage.READ, 921600, was_reset=False), LOST),
    done={Stage.READ: 40, Stage.ERASE: 5, Stage.WRITE: 5},
    damaged={Stage.READ: 1},
    simulated=True,
)


def test_a_program_finds_the_causes_with_their_evidence() -> None:
    shown = diagnose(SAGS).as_dict()
    assert list(shown) == ["symptom", "words", "simulated", "causes"]
    assert (shown["symptom"], shown["simulated"]) == ("reset-on-erase", True)
    causes = shown["causes"]
    assert isinstance(causes, list)
    assert {tuple(cause) for cause in causes} == {("name", "likelihood", "words", "because", "mend")}
    assert sum(cause["likelihood"] for cause in causes) <= 1
    supply = causes[0]
    assert supply["name"] == "sagging-supply"
    assert supply["because"] == [
        "40 reads went well, and reading takes little current",
        "the chip was gone after erase, 2 times",
        "its firmware was heard right after the loss: it had restarted",
        "against it: it answered again at the same rate, once: it never restarted",
    ]
    assert supply["mend"].startswith("Feed the module's 3.3 V from a supply of at least 500 mA")


def test_what_was_heard_is_said_only_while_there_is_no_link() -> None:
    assert "Heard" not in diagnose(SAGS).words


@pytest.mark.parametrize(
    ("loss", "is_blamed"),
    [
        (Loss(Stage.ERASE, 921600, was_reset=None), True),
        (Loss(Stage.ERASE, 921600, was_reset=True), False),
        (Loss(Stage.BAUD, 921600, was_reset=None), False),
    ],
)
def test_a_bootloader_is_lost_only_where_nothing_answers_after_a_write(loss: Loss, is_blamed: bool) -> None:
    """It would send somebody to an SPI programmer for a supply that sags."""
    lost = SessionStatistics(links=1, losses=(loss,), responder=Responder.BOOTLOADER)
    reasons = [reason for cause in diagnose(lost).causes for reason in cause.because]
    assert ("a BK7231T's bootloader lies in the flash, and nothing answered after it was worked on" in reasons) == (
        is_blamed
    )


def test_a_line_that_damages_reads_says_how_often() -> None:
    bad = diagnose(SessionStatistics(links=1, done={Stage.READ: 9}, damaged={Stage.READ: 3, Stage.CHECK: 2}))
    assert bad.symptom == "bytes-lost"
    assert "5 exchanges had to be repeated, reads among them" in bad.causes[0].because
