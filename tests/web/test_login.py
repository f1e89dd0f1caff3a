"""Signing in and out: sessions, their cookie, and guessing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from tests.web.access_rig import PASSWORD, Site, record, visit
from wattrail.access import Scope, User
from wattrail.access.passwords import hash_password, is_outdated, matches
from wattrail.clock import ManualClock
from wattrail.store.access import AccessBook

DAY_S = 86400.0


@pytest.fixture
def real_site(tmp_path: Path) -> Site:
    """With passwords as they are in service."""
    return Site(tmp_path, clock=ManualClock(datetime.now(UTC)))


@pytest.fixture
def site(real_site: Site, quick_passwords: None) -> Site:
    return real_site


def test_who_signs_in_gets_a_cookie_that_no_script_and_no_other_site_has(site: Site) -> None:
    site.user("anna", Scope.ADJUST)

    async def story(site: Site) -> None:
        answer = await site.login("anna")
        assert (answer.status, answer.json["who"], answer.json["scopes"]) == (200, "anna", ["read", "adjust"])
        cookie, *attributes = answer.headers["set-cookie"].split("; ")
        assert cookie.startswith("wattrail=")
        assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(attributes)
        assert "Secure" not in attributes
        assert not [one for one in attributes if one.startswith("Domain")]
        session = (await site.ask("GET /api/v1/session", Cookie=cookie)).json
        assert (session["who"], session["kind"]) == ("anna", "user")
        assert (await site.ask("GET /", Cookie=cookie)).status == 200

    visit(site, story, elsewhere=True)


def test_signing_out_ends_the_session_and_removes_the_cookie(site: Site) -> None:
    site.user("anna")

    async def story(site: Site) -> None:
        cookie = await site.cookie("anna")
        origin = f"http://{site.host}:{site.port}"
        answer = await site.ask("DELETE /api/v1/session", Cookie=cookie, Origin=origin)
        assert answer.status == 204
        assert "Max-Age=0" in answer.headers["set-cookie"]
        assert (await site.ask("GET /api/v1/meters", Cookie=cookie)).status == 401

    visit(site, story, elsewhere=True)
    assert [one.action for one in site.audit()][:2] == ["DELETE /api/v1/session", "login"]


@pytest.mark.parametrize("change", ["another password", "removed"])
def test_every_session_ends_with_the_password_and_with_the_user(site: Site, change: str) -> None:
    site.user("anna")

    async def story(site: Site) -> None:
        cookies = [await site.cookie("anna") for _ in range(2)]
        for cookie in cookies:
            assert (await site.ask("GET /api/v1/meters", Cookie=cookie)).status == 200
        with AccessBook(site.database) as book:
            if change == "removed":
                book.remove_user("anna", record("user remove"))
            else:
                book.set_password("anna", hash_password("another long one"), record("user passwd"))
        for cookie in cookies:
            assert (await site.ask("GET /api/v1/meters", Cookie=cookie)).status == 401
        assert (await site.login("anna")).status == 401

    visit(site, story, elsewhere=True)


def test_a_session_ends_when_it_is_not_used_and_after_a_week(site: Site) -> None:
    site.user("anna")
    clock = site.clock

    async def story(site: Site) -> None:
        idle, busy = await site.cookie("anna"), await site.cookie("anna")
        for _ in range(18):  # nine hours each: used, but for the idle one
            clock.sleep(9 * 3600)
            assert (await site.ask("GET /api/v1/session", Cookie=busy)).status == 200
        assert (await site.ask("GET /api/v1/session", Cookie=idle)).status == 401
        clock.sleep(9 * 3600)
        assert (await site.ask("GET /api/v1/session", Cookie=busy)).status == 401

    visit(site, story, elsewhere=True)


def test_a_user_has_at_most_twenty_sessions(site: Site) -> None:
    site.user("anna")

    async def story(site: Site) -> None:
        cookies = [await site.cookie("anna") for _ in range(21)]
        statuses = [(await site.ask("GET /api/v1/session", Cookie=one)).status for one in (cookies[0], cookies[-1])]
        assert statuses == [401, 200]

    visit(site, story, elsewhere=True)


@pytest.mark.parametrize("cookie", ["wattrail=", "wattrail=x", "wattrail=" + "A" * 9000, ";;;", "wattrail=\x01;="])
def test_a_cookie_that_is_none_of_ours_opens_nothing(site: Site, cookie: str) -> None:
    async def story(site: Site) -> None:
        assert (await site.ask("GET /api/v1/meters", Cookie=cookie)).status in {400, 401}

    visit(site, story, elsewhere=True)


def test_guessing_is_slowed_down_more_and_more_and_never_for_good(site: Site) -> None:
    site.user("anna")
    clock = site.clock

    async def story(site: Site) -> None:
        waits = []
        for _ in range(9):
            answer = await site.login("anna", "a wrong password")
            if answer.status == 429:
                waits.append(answer.json["retry_after_s"])
                assert answer.headers["retry-after"] == str(waits[-1])
                assert (await site.login("anna")).status == 429  # the right one neither: it would tell
                clock.sleep(waits[-1])
            else:
                assert answer.status == 401
        assert waits == sorted(waits)
        assert len(waits) >= 2
        clock.sleep(900)
        assert (await site.login("anna")).status == 200

    visit(site, story, elsewhere=True)
    failures = [one for one in site.audit() if one.action == "login" and one.result == "refused"]
    assert {(one.who) for one in failures} == {"anna"}


def test_an_unknown_user_and_a_wrong_password_look_and_cost_the_same(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.user("anna")
    verified: list[str] = []

    def counted(password: str, password_hash: str) -> bool:
        verified.append(password_hash.rpartition("$")[0].rpartition("$")[0])  # without salt and hash
        return matches(password, password_hash)

    monkeypatch.setattr("wattrail.web.login.matches", counted)

    async def story(site: Site) -> None:
        answers = [await site.login(user, "a wrong password") for user in ("nobody", "anna", "nobody", "anna")]
        assert {answer.status for answer in answers} == {401}
        assert len({answer.body for answer in answers}) == 1

    visit(site, story, elsewhere=True)
    # Time itself is not measured, which a busy machine decides: each attempt computes one hash of the same parameters.
    assert len(verified) == 4
    assert len(set(verified)) == 1
    assert {one.who for one in site.audit() if one.action == "login"} == {"anna", "somebody unknown"}


def test_a_hash_under_old_parameters_is_renewed_at_the_next_login(real_site: Site) -> None:
    site = real_site
    now = datetime.now(UTC)
    old = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    with AccessBook(site.database) as book:
        book.add_user(
            User(name="anna", scope=Scope.READ, password_hash=old, created_at=now, password_at=now), record("user add")
        )

    async def story(site: Site) -> None:
        cookie = await site.cookie("anna")
        with AccessBook(site.database, read_only=True) as book:
            user = book.user("anna")
        assert user is not None
        assert user.password_hash != old
        assert not is_outdated(user.password_hash)
        assert (await site.ask("GET /api/v1/meters", Cookie=cookie)).status == 200  # it is the same password
        assert (await site.login("anna")).status == 200

    visit(site, story, elsewhere=True)


def test_many_logins_at_once_wait_in_a_short_queue(site: Site) -> None:
    site.user("anna")

    async def story(site: Site) -> None:
        answers = await asyncio.gather(*(site.login("anna") for _ in range(30)))
        statuses = [answer.status for answer in answers]
        assert set(statuses) <= {200, 429}
        assert statuses.count(200) >= 8
        assert (await site.login("anna")).status == 200

    visit(site, story, elsewhere=True)


def test_the_scope_of_a_user_is_the_one_it_has_now(site: Site) -> None:
    site.user("anna", Scope.READ)

    async def story(site: Site) -> None:
        cookie = await site.cookie("anna")
        answer = await site.ask(
            "POST /api/v1/alarms/1/acknowledge", Cookie=cookie, Origin=f"http://{site.host}:{site.port}"
        )
        assert (answer.status, answer.json["needed_scope"]) == (403, "adjust")

    visit(site, story, elsewhere=True)
