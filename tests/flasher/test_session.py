"""A session on a scripted client: what is repeated, what is believed, and what happens when the link is lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flasher.scripted import TARGET_N, ScriptedClient, reply, state_of
from wattrail.bootrom.commands import (
    CHECK_CRC,
    ERASE,
    FLASH_ID,
    READ_4K,
    READ_REG,
    READ_SR,
    WRITE_REG,
    Command,
    Responder,
)
from wattrail.bootrom.events import Answered
from wattrail.diagnosis.session_statistics import Loss, Stage
from wattrail.errors import LinkFailed, NoAnswer, PortError, PortLost, TargetError
from wattrail.flasher.events import Fact, Linked, Lost, RateChanged, Repeated
from wattrail.flasher.identify import ExpectedBoard
from wattrail.flasher.session import MAX_TRIES, FlashSession

SILENCE = NoAnswer("no reply")
REFUSAL = TargetError("the chip refuses")


class Scene:
    """One session, its client, and the events that went up."""

    def __init__(self, *replies: Any, baud: int = 921600, **options: Any) -> None:
        self.client = ScriptedClient(*replies, baud=baud)
        self.events: list[Any] = []
        self.session = FlashSession(self.client, state_of(self.client, self.events), **options)  # type: ignore[arg-type]

    def events_of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


# ---- requests


def test_a_damaged_exchange_is_repeated_and_reported() -> None:
    scene = Scene(SILENCE, reply(READ_4K, b"sector"))
    assert scene.session.request(Stage.READ, READ_4K, address=0).data == b"sector"
    assert scene.client.log == [str(READ_4K)] * 2
    assert scene.events_of(Repeated) == [Repeated(Stage.READ, "no reply", is_fault=True)]
    counted = scene.session.statistics()
    assert (counted.done[Stage.READ], counted.damaged[Stage.READ]) == (1, 1)


def test_a_refusal_is_believed_when_it_comes_twice() -> None:
    assert Scene(REFUSAL).session.request(Stage.ERASE, ERASE, address=0)
    scene = Scene(REFUSAL, REFUSAL)
    with pytest.raises(TargetError, match="the chip refuses"):
        scene.session.request(Stage.ERASE, ERASE, address=0)


def test_a_request_is_given_up_after_so_many_tries() -> None:
    scene = Scene(*[SILENCE] * MAX_TRIES)
    with pytest.raises(LinkFailed, match=f"was not answered properly {MAX_TRIES} times") as caught:
        scene.session.request(Stage.CHECK, CHECK_CRC)
    assert caught.value.diagnosis["symptom"]


def test_a_value_without_a_crc_needs_two_equal_replies() -> None:
    scene = Scene(reply(READ_SR, sr=1), reply(READ_SR, sr=3), reply(READ_SR, sr=3))
    assert scene.session.request_agreed(Stage.UNPROTECT, READ_SR)["sr"] == 3
    assert [event.why for event in scene.events_of(Repeated)] == [f"{READ_SR}: two answers differ"]


def test_what_the_chip_may_not_know_is_left_after_two_refusals() -> None:
    assert Scene(REFUSAL, SILENCE).session.query_optional(FLASH_ID) is None
    scene = Scene(SILENCE, reply(FLASH_ID, kind=1), reply(FLASH_ID, kind=1), reply(FLASH_ID, kind=1))
    answer = scene.session.query_optional(FLASH_ID)
    assert answer is not None
    assert answer["kind"] == 1


@pytest.mark.parametrize(("stage", "faults"), [(Stage.READ, 1), (Stage.ERASE, 1), (Stage.CHECK, 0)])
def test_only_a_request_that_may_change_flash_is_a_fault(stage: Stage, faults: int) -> None:
    scene = Scene(SILENCE)
    scene.session.request(stage, READ_4K)
    assert scene.session.fault_generation == faults


def test_data_that_differs_from_its_crc_is_not_a_fault() -> None:
    scene = Scene()
    scene.session.data_differs(Stage.READ, "damaged")
    assert scene.session.fault_generation == 0


# ---- the rate


def test_too_much_damage_brings_the_rate_down() -> None:
    scene = Scene()
    for _ in range(3):
        scene.session.data_differs(Stage.READ, "damaged")
    assert scene.session.baud == 460800
    assert scene.events_of(RateChanged) == [RateChanged(460800, "too much was damaged at the faster one")]
    scene.session.data_differs(Stage.READ, "damaged")
    assert scene.session.baud == 460800, "damage at the old rate says nothing about the new one"
    assert scene.session.statistics().failed_rates == (921600,)


# ---- the link


class Board:
    """A check of the board that notes when it is asked; ``other``: another one answers."""

    def __init__(self, client: ScriptedClient, *, other: bool = False) -> None:
        self.client, self.other = client, other

    def confirm(self, session: FlashSession) -> None:
        self.client.log.append("confirm")
        if self.other:
            raise TargetError("another board answers now")


def test_after_a_lost_link_the_board_is_confirmed_before_repeating() -> None:
    scene = Scene(SILENCE)
    scene.client.resyncs.append(False)
    scene.session.expect(Board(scene.client))
    scene.session.request(Stage.ERASE, ERASE, address=0)
    assert scene.client.log == [str(ERASE), "confirm", str(ERASE)]
    assert [event.loss.was_reset for event in scene.events_of(Lost)] == [True]
    assert scene.events_of(Lost)[0].words, "the sink adds the diagnosis"


def test_nothing_more_is_sent_to_another_board() -> None:
    scene = Scene(SILENCE)
    scene.client.resyncs.append(False)
    scene.session.expect(Board(scene.client, other=True))
    with pytest.raises(TargetError, match="another board"):
        scene.session.request(Stage.ERASE, ERASE, address=0)
    assert scene.client.log == [str(ERASE), "confirm"]


@pytest.mark.parametrize("proven", [True, False])
def test_losses_end_the_session_unless_blocks_are_proven_between(proven: bool) -> None:
    scene = Scene()

    def lose() -> None:
        scene.client.baud = 921600
        scene.client.replies.append(SILENCE)
        scene.client.resyncs.append(False)
        scene.session.request(Stage.WRITE, READ_4K)
        if proven:
            scene.session.sink(Fact.BLOCK_PROVEN)

    lose()
    lose()
    if proven:
        lose()
        lose()
        return
    with pytest.raises(LinkFailed, match="the link was lost in the write again and again"):
        lose()


MARK = 0x1F << 8
MARK_LEFT = (reply(WRITE_REG), reply(READ_REG, value=MARK), reply(READ_REG, value=MARK))


def test_a_restart_at_the_rate_of_a_reset_shows_by_the_mark_it_wipes_out() -> None:
    """Its rate says nothing: the chip answers as before, and may be another one, or half erased."""
    gone = (reply(READ_REG, value=0), reply(READ_REG, value=0))
    scene = Scene(*MARK_LEFT, SILENCE, *gone, *MARK_LEFT, baud=115200, max_baud=115200)
    scene.session.climb(Responder.BOOT_ROM)
    scene.session.expect(Board(scene.client))
    scene.session.request(Stage.ERASE, ERASE, address=0)
    assert [event.loss for event in scene.events_of(Lost)] == [Loss(Stage.ERASE, 115200, was_reset=True)]
    assert scene.client.log.index("confirm") < len(scene.client.log) - 1, "the board first, then the erase again"
    assert scene.client.log[-1] == str(ERASE)
    assert scene.session.links == 1, "it answers without a new search"


def test_a_lost_byte_at_the_rate_of_a_reset_is_not_a_restart() -> None:
    scene = Scene(*MARK_LEFT, SILENCE, reply(READ_REG, value=MARK), baud=115200, max_baud=115200)
    scene.session.climb(Responder.BOOT_ROM)
    scene.session.request(Stage.ERASE, ERASE, address=0)
    assert scene.events_of(Lost) == []


def test_a_chip_left_at_a_rate_is_linked_without_a_reset() -> None:
    scene = Scene(baud=115200)
    scene.client.drain_until_quiet = lambda: b""  # type: ignore[attr-defined]
    scene.client.set_lines = lambda **_: None  # type: ignore[attr-defined]
    scene.session.link()
    assert scene.events_of(Linked) == [Linked(115200, 0.0)]
    assert scene.session.links == 1


def test_a_port_that_comes_back_is_used_again() -> None:
    attempts = [PortError("still away")]
    fresh = ScriptedClient()

    def reopen() -> Any:
        if attempts:
            raise attempts.pop()
        return fresh

    scene = Scene(PortLost("unplugged"), reopen=reopen)
    scene.session.request(Stage.READ, READ_4K)
    assert scene.client.log == [str(READ_4K), "closed", "moved", str(READ_4K)]
    assert scene.session.statistics().cable_lost == 1
    assert scene.session.fault_generation == 2, "the damaged request, and the time without a cable"


def test_the_board_is_confirmed_before_anything_is_sent_on_a_new_cable() -> None:
    scene = Scene(PortLost("unplugged"), reopen=ScriptedClient)
    scene.session.expect(Board(scene.client))
    scene.session.request(Stage.ERASE, ERASE, address=0)
    assert scene.client.log == [str(ERASE), "closed", "moved", "confirm", str(ERASE)]
    assert scene.session.links == 1, "a T's protection is off on this very link only"


def test_another_board_on_a_new_cable_is_sent_nothing_ever() -> None:
    scene = Scene(PortLost("unplugged"), reopen=ScriptedClient)
    scene.session.expect(Board(scene.client, other=True))
    for _ in range(2):
        with pytest.raises(TargetError, match="another board"):
            scene.session.request(Stage.ERASE, ERASE, address=0)
    assert scene.client.log == [str(ERASE), "closed", "moved", "confirm", "confirm"]


def test_a_port_that_goes_away_again_at_once_is_closed_again() -> None:
    """Left open it would be in use: an adapter is opened for one program alone."""
    flapping, fresh = ScriptedClient(), ScriptedClient()

    def lost() -> bytes:
        raise PortLost("gone again")

    flapping.drain = lost  # type: ignore[method-assign]
    ports = [flapping, fresh]
    scene = Scene(PortLost("unplugged"), reopen=lambda: ports.pop(0))
    scene.session.request(Stage.READ, READ_4K)
    assert flapping.log == ["closed"]
    assert scene.client.log == [str(READ_4K), "closed", "moved", str(READ_4K)]


class Answers:
    """In place of a session with the board of ``TARGET_N``; its flash id is not heard so many times."""

    def __init__(self, lost: int) -> None:
        self.lost = lost

    def query_optional(self, command: Command, **_: int) -> Answered | None:
        if command is FLASH_ID:
            self.lost -= 1
            return reply(command, capacity=0x15, kind=0xAB, manufacturer=0xCD) if self.lost < 0 else None
        return reply(command, value=0x7231C)

    def request_agreed(self, stage: Stage, command: Command, **_: int) -> Answered:
        return reply(command, crc=TARGET_N.rf_crc)


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_board_is_another_one_only_when_that_is_found_twice(lost: int) -> None:
    """On a bad line, which is where links are lost, a reply may not come through."""
    board, session = ExpectedBoard(TARGET_N), Answers(lost)
    if lost < 2:
        board.confirm(session)  # type: ignore[arg-type]
        return
    with pytest.raises(TargetError, match="another board answers now"):
        board.confirm(session)  # type: ignore[arg-type]


@pytest.mark.parametrize("what", ["link check", "step down", "question"])
def test_a_cable_pulled_between_two_requests_is_waited_for_too(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    losses = [PortLost("unplugged")]

    def pulled(*_: Any, **__: Any) -> Any:
        if losses:
            raise losses.pop()
        return reply(FLASH_ID) if what == "question" else True

    scene = Scene(reopen=ScriptedClient)
    method = {"link check": "answers", "step down": "change_rate", "question": "request"}[what]
    monkeypatch.setattr(scene.client, method, pulled)
    match what:
        case "link check":
            scene.session.send_link_check()
        case "step down":
            for _ in range(3):
                scene.session.data_differs(Stage.READ, "the sector arrived damaged")
        case _:
            assert scene.session.query_optional(FLASH_ID) is not None, "a cable is no answer"
    assert scene.client.log == ["closed", "moved"]
