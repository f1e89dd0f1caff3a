"""POST /inspect over a real server: what a dump says, what is hidden, and what is refused."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path

import pytest

from tests.board.evidence import configuration
from tests.cli.test_board_dump import CONSTANTS, FACTORY, stock_dump, with_openbeken
from tests.image.boards import Board
from tests.image.stock_storage import in_flash, storage
from tests.web.access_rig import Answer, Site, visit
from wattrail.access import Scope
from wattrail.image import Chip, as_record, inspect_flash

TONGOU = "tongou TO-Q-SY1-JWT"
SECRET = "hunter-2-network"


async def sent(site: Site, data: bytes, **headers: str) -> Answer:
    return await site.ask("POST /api/v1/inspect", data, **{"Content_Type": "application/octet-stream", **headers})


def dump() -> bytes:
    return in_flash(FACTORY, stock_dump(configuration(TONGOU)), CONSTANTS)


def test_a_dump_is_shown_with_its_board_and_its_files(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        answer = await sent(site, dump())
        assert answer.status == 200, answer.body
        found = answer.json
        assert found["inspection"] == json.loads(json.dumps(as_record(inspect_flash(dump()))))
        assert found["picture"].startswith("<svg ")
        (source,) = found["boards"]["sources"]
        same = [one["board"] for one in source["matches"] if one["confidence"] == "same_wiring"]
        assert same == ["earu-eakcb-t-m", "tongou-to-q-sy1"]
        assert source["matches"][0]["evidence"]
        exports = {(one["board"], one["target"]): one for one in found["exports"]}
        assert "autoexec.bat" in exports["tongou-to-q-sy1", "openbeken"]["files"]
        assert "voltage_reference: 15968" in exports["tongou-to-q-sy1", "esphome"]["files"]["tongou-to-q-sy1.yaml"]
        assert found["calibration_source"] == "factory"

    visit(Site(tmp_path), story)


def test_two_configurations_that_disagree_are_both_shown(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        answer = await sent(site, with_openbeken(stock_dump(configuration(TONGOU)), {}))
        assert len(answer.json["boards"]["sources"]) == 2
        assert "P15" in answer.json["boards"]["disagreements"][0]

    visit(Site(tmp_path), story)


def test_no_secret_of_a_dump_is_in_the_answer(tmp_path: Path) -> None:
    values = {"gw_wsm": json.dumps({"ssid": "the-network", "passwd": SECRET}).encode()}
    flash = in_flash(storage(values, seed=3), Board(Chip.N).dump)

    async def story(site: Site) -> None:
        answer = await sent(site, flash)
        assert answer.status == 200
        assert answer.json["inspection"]["storage"]["read"]
        assert SECRET.encode() not in answer.body
        assert b"the-network" not in answer.body
        assert b"c8:47:8c:01:02:fe" not in answer.body.lower()

    visit(Site(tmp_path), story)


@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        (b"", 422, "empty"),
        (b"<!DOCTYPE html><html>", 422, "not a firmware image"),
        (b"PK\x03\x04" + bytes(100), 422, "zip"),
    ],
    ids=["empty", "web page", "broken zip"],
)
def test_what_is_not_a_dump_is_refused_with_a_reason(tmp_path: Path, data: bytes, status: int, said: str) -> None:
    async def story(site: Site) -> None:
        answer = await sent(site, data)
        assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
        assert said in answer.json["detail"]
        assert answer.json["hint"]

    visit(Site(tmp_path), story)


def test_damaged_dumps_are_answered_and_never_break_it(tmp_path: Path) -> None:
    chance, whole = random.Random(11), dump()

    async def story(site: Site) -> None:
        for turn in range(12):
            damaged = bytearray(whole[: chance.randrange(1, len(whole))] if turn % 2 else whole)
            for _ in range(200):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            answer = await sent(site, bytes(damaged))
            assert answer.status in {200, 422}, answer.body[:300]
            assert answer.json

    visit(Site(tmp_path), story)


def test_another_kind_of_body_and_a_larger_one_elsewhere_are_refused(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        assert (await sent(site, b"x", Content_Type="text/plain")).status == 422
        for path, length in (("inspect", (16 << 20) + 1), ("session", 100_000)):
            head = f"POST /api/v1/{path} HTTP/1.1\r\nHost: {site.host}:{site.port}\r\nContent-Length: {length}\r\n\r\n"
            assert (await site.send(head.encode())).status == 413

    visit(Site(tmp_path), story)


def test_one_file_at_a_time(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        answers = await asyncio.gather(*(sent(site, dump()) for _ in range(4)))
        assert {answer.status for answer in answers} == {200, 503}
        assert "another file" in next(answer for answer in answers if answer.status == 503).json["detail"]
        assert (await sent(site, dump())).status == 200

    visit(Site(tmp_path), story)


def test_without_the_extra_it_says_which_command_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = dump()
    monkeypatch.delitem(sys.modules, "wattrail.image.vectorised", raising=False)
    monkeypatch.delattr("wattrail.image.vectorised", raising=False)
    monkeypatch.setitem(sys.modules, "numpy", None)

    async def story(site: Site) -> None:
        answer = await sent(site, whole)
        assert answer.status == 503
        assert "numpy" in answer.json["detail"]
        assert "install" in answer.json["hint"]

    visit(Site(tmp_path), story)


def test_reading_is_enough_and_a_stranger_is_not(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        assert (await sent(site, b"x")).status == 401
        token = site.token("reader", Scope.READ)
        assert (await sent(site, dump(), Authorization=f"Bearer {token}")).status == 200

    visit(Site(tmp_path), story, elsewhere=True)
