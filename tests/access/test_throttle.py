"""Guessing passwords: waits that double, memory that is bounded, and an owner who always gets in again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattrail.access import throttle
from wattrail.access.throttle import LoginThrottle


def failed(times: int, *, user: str = "anna", address: str = "192.0.2.1") -> LoginThrottle:
    made = LoginThrottle()
    for _ in range(times):
        made.fail(user, address, 0.0)
    return made


def test_five_wrong_passwords_are_free_and_then_the_wait_doubles() -> None:
    assert [failed(times).wait_s("anna", "192.0.2.1", 0.0) for times in (0, 4, 5, 6, 7, 8)] == [0, 0, 1, 2, 4, 8]


def test_a_wait_ends_by_itself_and_is_not_extended_by_asking() -> None:
    made = failed(8)
    assert [made.wait_s("anna", "192.0.2.1", now) for now in (0.0, 5.0, 8.0)] == [8, 3, 0]


def test_a_user_waits_a_minute_at_most_and_an_address_fifteen() -> None:
    made = failed(1000)
    assert made.wait_s("anna", "198.51.100.1", 0.0) == 60
    assert made.wait_s("bert", "192.0.2.1", 0.0) == 900
    assert made.wait_s("bert", "198.51.100.1", 0.0) == 0


def test_an_attack_does_not_lock_out_the_address_that_the_owner_uses() -> None:
    made = LoginThrottle()
    made.succeed("anna", "192.0.2.9")
    for number in range(500):
        made.fail("anna", f"198.51.100.{number % 250}", 0.0)
    assert made.wait_s("anna", "192.0.2.9", 0.0) == 0
    assert made.wait_s("anna", "203.0.113.5", 0.0) == 60


def test_the_right_password_forgets_the_wrong_ones_before() -> None:
    made = failed(7)
    made.succeed("anna", "192.0.2.1")
    assert made.wait_s("anna", "192.0.2.1", 0.0) == 0


def test_failures_are_forgotten_after_an_hour() -> None:
    made = failed(50)
    assert made.wait_s("anna", "192.0.2.1", 3600.0) == 0
    made.fail("anna", "192.0.2.1", 3600.0)
    assert made.wait_s("anna", "192.0.2.1", 3600.0) == 0


def test_a_network_of_ipv6_counts_as_one_address() -> None:
    made = LoginThrottle()
    for number in range(10):
        made.fail(f"user{number}", f"2001:db8:1:2::{number:x}", 0.0)
    assert made.wait_s("anna", "2001:db8:1:2:ffff::1", 0.0) == 32
    assert made.wait_s("anna", "2001:db8:1:3::1", 0.0) == 0
    made = failed(6, address="::ffff:192.0.2.1")
    assert made.wait_s("bert", "192.0.2.1", 0.0) == 2


@pytest.mark.parametrize("changing", ["user", "address", "both"])
def test_memory_is_bounded_whatever_is_tried(changing: str) -> None:
    made = LoginThrottle()
    for number in range(20_000):
        user = f"user{number}" if changing != "address" else "anna"
        address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}" if changing != "user" else "192.0.2.1"
        made.fail(user, address, float(number))
        made.succeed(user, f"172.16.{number >> 8 & 255}.{number & 255}")
    sizes = [len(made._users), len(made._addresses), len(made._trusted)]
    assert max(sizes) <= throttle._MAX_KEYS


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["192.0.2.1", "::1", "x"]), st.floats(0, 1e4))))
def test_no_wait_is_longer_than_its_limit(tried: list[tuple[str, str, float]]) -> None:
    made, now = LoginThrottle(), 0.0
    for user, address, later in tried:
        now += later
        made.fail(user, address, now)
        assert 0 <= made.wait_s(user, address, now) <= 900
        assert made.wait_s(user, address, now + 900) == 0
