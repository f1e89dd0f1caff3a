"""Every command both ways, against frames worked out byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bootrom.golden import ANSWERED, GOLDEN, REFUSALS
from wattrail.bootrom import COMMANDS, BootLink, Responder, problem
from wattrail.bootrom import commands as c
from wattrail.bootrom.events import NEED_DATA, Answered, NoReply
from wattrail.errors import TargetError

PAGE = Path(__file__).parents[2] / "docs" / "protocols" / "bk7231-boot.md"


@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: row[0].name)
def test_a_request_is_its_golden_frame(row) -> None:
    command, fields, data, request, _, _ = row
    assert BootLink().request(command, data, **fields) == bytes.fromhex(request)


@pytest.mark.parametrize("row", ANSWERED, ids=lambda row: row[0].name)
def test_a_golden_reply_is_understood(row) -> None:
    command, fields, data, _, reply, says = row
    link, frame = BootLink(), bytes.fromhex(reply)
    link.request(command, data, **fields)
    link.receive(frame)
    event = link.next_event()
    assert isinstance(event, Answered)
    assert (event.frame, event.refused, event.strays, event.skipped) == (frame, False, 0, b"")
    assert event.status == (0 if command.long else None)
    for name, value in says.items():
        assert (event.data if name == "data" else event[name]) == value
    assert problem(command, event) is None
    assert link.next_event() is NEED_DATA, "one question, one answer"


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: row[0].name)
def test_a_refusal_is_an_answer_with_its_status(row) -> None:
    command, fields, data, reply = row
    link = BootLink()
    link.request(command, data, **fields)
    link.receive(bytes.fromhex(reply))
    event = link.next_event()
    assert isinstance(event, Answered)
    assert event.refused
    assert event.status == 6
    error = problem(command, event)
    assert isinstance(error, TargetError)
    assert "refused with status 06" in str(error)
    assert "guards its bootloader" in (error.hint or "")


def test_every_command_that_is_ever_sent_has_a_golden_frame() -> None:
    assert set(COMMANDS) - {row[0] for row in GOLDEN} == {c.FLASH_READ}


def test_the_two_namespaces_hold_no_opcode_twice() -> None:
    seen = [(command.namespace, command.opcode) for command in COMMANDS if command is not c.WRITE_SR_16]
    assert len(seen) == len(set(seen))


def test_the_bootloader_answers_nine_commands_and_the_rom_all_others() -> None:
    loader = {command.name for command in COMMANDS if Responder.BOOTLOADER in command.known}
    assert loader == {
        "LinkCheck", "Reboot", "SetBaud", "CheckCRC", "ReadBootVersion", "FlashWrite", "Write4K", "Read4K", "Erase",
    }  # fmt: skip
    assert Responder.BOOT_ROM not in c.BOOT_VERSION.known


def test_a_bootloader_without_version_says_07() -> None:
    link = BootLink()
    link.request(c.BOOT_VERSION)
    link.receive(bytes.fromhex("04 0E 05 01 E0 FC 11 07"))
    event = link.next_event()
    assert isinstance(event, Answered)
    assert (event.refused, event["filler"]) == (True, 7)
    assert "refused with reply 04 0E 05" in str(problem(c.BOOT_VERSION, event))


def test_a_reboot_expects_no_reply() -> None:
    link = BootLink()
    link.request(c.REBOOT)
    assert link.end() == NoReply()


@pytest.mark.parametrize(
    ("command", "data", "fields", "why"),
    [
        (c.READ_4K, b"", {}, "Read4K needs address"),
        (c.READ_4K, b"", {"address": 1 << 32}, "does not fit 4 byte"),
        (c.READ_4K, b"", {"address": 0, "size": 1}, "Read4K has no size"),
        (c.READ_4K, b"x", {"address": 0}, "carries no data"),
        (c.WRITE_4K, b"x" * 4095, {"address": 0}, "4095 bytes of data, wanted 4096"),
        (c.FLASH_WRITE, b"x" * 257, {"address": 0}, "257 bytes of data, wanted 1 to 256"),
        (c.SET_BAUD, b"", {"baud": -1, "delay_ms": 0}, "baud"),
    ],
)
def test_a_bad_argument_is_refused_before_it_becomes_bytes(command, data, fields, why) -> None:
    with pytest.raises(ValueError, match=why):
        BootLink().request(command, data, **fields)


def test_the_page_shows_every_golden_frame() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    for command, _, data, request, reply, _ in GOLDEN:
        frames = [request if not data or len(data) < 256 else request[:35], reply and reply[:44]]
        for frame in frames:
            assert frame is None or frame in text, f"{command}: {frame}"
    for command, _, _, reply in REFUSALS:
        assert reply in text, command
