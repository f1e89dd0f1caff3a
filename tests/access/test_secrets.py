"""Passwords and tokens: what is kept of them, and which are taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher, extract_parameters

from wattrail.access import Scope, Token
from wattrail.access.passwords import check_password, hash_password, is_outdated, matches, unknown_hash
from wattrail.access.records import check_access_name
from wattrail.access.tokens import new_token, token_hash, token_prefix

PASSWORD = "correct horse battery"


def test_a_password_is_kept_as_argon2id_with_the_stated_parameters() -> None:
    made = hash_password(PASSWORD)
    parameters = extract_parameters(made)
    assert made.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (65536, 3, 4)
    assert matches(PASSWORD, made)
    assert not matches("correct horse batterz", made)
    assert hash_password(PASSWORD) != made  # a salt of its own
    assert not is_outdated(made)
    assert is_outdated(PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD))


@pytest.mark.parametrize("stored", ["", "plain", "$argon2id$v=19$m=1", "$2b$12$abcdefghijklmnopqrstuv"])
def test_a_hash_that_is_none_matches_nothing(stored: str) -> None:
    assert not matches("", stored)
    assert not matches(PASSWORD, stored)


def test_nobody_knows_the_password_of_a_user_that_does_not_exist() -> None:
    assert unknown_hash() is unknown_hash()
    assert not matches("", unknown_hash())


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("short", "10 to 256 characters, this one has 5"),
        ("x" * 300, "10 to 256 characters, this one has 300"),
        ("aaaaaaaaaaaa", "the first one that is tried"),
        ("Anna-Maria1", "the first one that is tried"),
        ("eleven\x07chars", "no control characters"),
    ],
)
def test_a_password_that_helps_nobody_is_refused(password: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check_password(password, user="anna-maria1")


def test_a_token_is_kept_as_a_hash_and_known_by_its_first_letters() -> None:
    token = new_token()
    assert token.startswith("wattrail_")
    assert token_hash(token) == token_hash(token)
    assert token_hash(token) != token_hash(new_token())
    assert token[9:17] == token_prefix(token)


TOKEN = "wattrail_OC_Vgdk8AMtnfvM9-R8XGHM8g_WGQsewek-o2pOo6Nx"  # one that was made once, and opens nothing


@pytest.mark.parametrize("text", ["", "wattrail_", "Bearer", TOKEN[:-1], f"{TOKEN}\n", TOKEN.upper()])
def test_a_text_that_is_not_a_token_has_no_hash(text: str) -> None:
    assert token_hash(text) is None


def test_a_token_ends_at_its_time_or_when_it_is_revoked() -> None:
    now = datetime(2026, 6, 21, tzinfo=UTC)
    token = Token(name="a", prefix="b", scope=Scope.READ, created_at=now, expires_at=now + timedelta(days=1))
    assert [token.state(now + timedelta(hours=hours)) for hours in (0, 23, 24)] == ["valid", "valid", "expired"]
    revoked = Token(name="a", prefix="b", scope=Scope.READ, created_at=now, expires_at=now, revoked_at=now)
    assert revoked.state(now) == "revoked"


def test_each_scope_includes_the_smaller_ones() -> None:
    assert Scope.ADMIN.included == (Scope.READ, Scope.ADJUST, Scope.ADMIN)
    assert Scope.READ.included == (Scope.READ,)
    assert Scope.ADJUST.includes(Scope.READ)
    assert not Scope.ADJUST.includes(Scope.ADMIN)


@pytest.mark.parametrize("name", ["", " ", "-x", "a b", "x" * 65, "a/b", "<b>", "a\n"])
def test_a_name_that_could_be_mistaken_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a name"):
        check_access_name(name)
