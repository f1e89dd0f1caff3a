"""Other people's reader of Tuya's storage gets from our synthetic areas what ours does: bk7231tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bk7231tools.analysis.kvstorage import KVStorage, ProtectedBlock

from tests.image.boards import Board
from tests.image.stock_storage import NEW_MAGIC, OLD_MAGIC, in_flash, licence_sector, spelt, storage
from wattrail.image.tuya_storage import read_storage

PUBLISHED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "captures/tuya-configurations.json").read_text()
)


@pytest.mark.parametrize("magic", [OLD_MAGIC, NEW_MAGIC])
def test_bk7231tools_reads_the_same_pairs_from_a_dump(n: Board, magic: int) -> None:
    values = {f"name{i}": bytes([i + 1]) * (i * 37 + 1) for i in range(30)}
    dump = in_flash(storage(values, magic=magic), n.dump)
    theirs = KVStorage.decrypt_and_unpack(dump, find=True).read_all_values()
    assert theirs == values == {value.name: value.data for value in read_storage(dump).values}


@pytest.mark.parametrize("published", PUBLISHED[::4], ids=lambda published: published["name"][:40])
def test_bk7231tools_reads_the_same_configuration(published: dict[str, Any]) -> None:
    area = storage({"user_param_key": spelt(published["configuration"]).encode()})
    theirs = KVStorage.decrypt_and_unpack(area[:0x8000]).read_all_values_parsed()["user_param_key"]
    assert theirs == dict(sorted(published["configuration"].items()))
    assert read_storage(area).get("user_param_key") == theirs


def test_bk7231tools_reads_the_same_licence() -> None:
    from Crypto.Cipher import AES

    sector = licence_sector({"gw_bi": b'{"a":1}', "gw_wsm": b"{}"})
    theirs = ProtectedBlock.unpack(sector, aes=AES.new(b"qwertyuiopasdfgh", AES.MODE_ECB))
    assert {record.key: record.value for record in theirs.data} == {"gw_bi": b'{"a":1}', "gw_wsm": b"{}"}
