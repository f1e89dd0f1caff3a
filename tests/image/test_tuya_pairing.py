"""The local key, the device id and the version of the local protocol out of Tuya's storage."""

from __future__ import annotations

import json

import pytest

from tests.image.stock_storage import storage
from wattrail.image.tuya_pairing import MAX_CANDIDATES, TuyaPairing, find_pairing
from wattrail.image.tuya_storage import read_storage

KEY = "a:$<&\"'b-c_d/e+f"
ID = "bf000000000000000000aa"
OTHER = "0123456789ABCDEF"


def pairing(code: bytes = b"", **values: object) -> TuyaPairing:
    written = {
        name: value.encode() if isinstance(value, str) else json.dumps(value).encode() for name, value in values.items()
    }
    return find_pairing(read_storage(storage(written)), code)


def test_a_paired_device_gives_its_id_its_version_and_its_key() -> None:
    found = pairing(gw_di={"id": ID, "lpv": "3.4", "pk": "keyproduct"}, gw_ai={"localKey": KEY, "hs_psk": "x" * 37})
    assert found == TuyaPairing(ID, "3.4", (KEY,))


@pytest.mark.parametrize("name", ["key", "lckey", "local_key", "localKey", "something_new"])
def test_the_key_is_found_under_any_name(name: str) -> None:
    assert pairing(gw_di={"id": ID}, gw_ai={name: KEY}).candidates == (KEY,)


def test_likely_candidates_come_first_and_each_once() -> None:
    found = pairing(
        gw_bi={"uuid": OTHER}, gw_ai={"stdTimeZone": "+01:00+01:00+01:", "s": {"lckey": KEY}}, copy={"lckey": KEY}
    )
    assert found.candidates == (KEY, "+01:00+01:00+01:", OTHER)


def test_what_is_known_to_be_another_thing_is_not_tried() -> None:
    network = {"ssid": "sixteen-letters!", "passwd": "hunter-2-hunter-"}
    assert pairing(gw_wsm=network, gw_ai={"lat": "52.5162750000000"}).candidates == ()


def test_a_device_that_was_never_paired_has_none() -> None:
    assert pairing(gw_di={"swv": "1.0.6"}, gw_bi={"auth_key": "A" * 32}) == TuyaPairing("", "", ())


def test_the_text_of_a_build_names_the_version_where_the_storage_does_not() -> None:
    code = b"\0< TUYA IOT SDK V:2.3.1 BS:40.00_PT:2.2_LAN:3.3_CAD:1.0.3_CD:1.0.0 >\0"
    assert pairing(code, gw_di={"id": ID}).version == "3.3"
    assert pairing(code, gw_di={"id": ID, "lpv": "3.4"}).version == "3.4"


def test_a_version_or_an_id_of_another_shape_is_left_out() -> None:
    assert pairing(gw_di={"id": "x", "lpv": "4.0"}, gw_ai={}) == TuyaPairing("", "", ())


def test_a_storage_full_of_texts_does_not_make_a_day_of_trying() -> None:
    found = pairing(gw_ai={"list": [f"{number:016d}" for number in range(100)]})
    assert len(found.candidates) == MAX_CANDIDATES


def test_no_text_of_a_pairing_shows_what_it_holds() -> None:
    found = pairing(gw_di={"id": ID, "lpv": "3.4"}, gw_ai={"lckey": KEY})
    assert KEY not in repr(found)
    assert ID not in repr(found)
