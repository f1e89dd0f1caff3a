"""Users and tokens by the command line: made, listed, changed, removed, and written down."""

from __future__ import annotations

import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.conftest import Type
from wattrail.access.passwords import matches
from wattrail.access.tokens import new_token, token_hash, token_prefix
from wattrail.store.access import AccessBook

PASSWORD = "correct horse battery"


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path / "w.sqlite")


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def test_a_user_is_made_with_a_password_from_stdin(
    wattrail: Type, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(monkeypatch, PASSWORD)
    said = wattrail("user", "add", "anna", "--scope", "adjust", "--database", database)
    assert (said.code, said.out) == (0, "anna may sign in, with the scope adjust\n")
    with AccessBook(Path(database), read_only=True) as book:
        user = book.user("anna")
    assert user is not None
    assert matches(PASSWORD, user.password_hash)
    listed = wattrail("user", "list", "--database", database)
    assert "anna                      adjust  password of 20" in listed.out
    (one,) = json.loads(wattrail("user", "list", "--json", "--database", database).out)
    assert set(one) == {"name", "scope", "created_at", "password_at"}
    assert PASSWORD not in said.err + said.out + listed.out


def test_a_password_is_typed_twice_at_a_terminal(
    wattrail: Type, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    answers = iter([PASSWORD, "something different", PASSWORD, PASSWORD])
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda *_arguments, **_named: next(answers))
    said = wattrail("user", "add", "anna", "--database", database)
    assert (said.code, "error: the two passwords differ" in said.err) == (2, True)
    assert wattrail("user", "add", "anna", "--database", database).code == 0


@pytest.mark.parametrize(
    ("password", "says"),
    [("", "no password was given"), ("short", "10 to 256 characters"), ("anna.anna.anna", "the first one")],
)
def test_a_bad_password_makes_no_user(
    wattrail: Type, database: str, monkeypatch: pytest.MonkeyPatch, password: str, says: str
) -> None:
    typed(monkeypatch, password)
    said = wattrail("user", "add", "anna.anna.anna", "--database", database)
    assert (said.code, says in said.err) == (2, True)
    assert wattrail("user", "list", "--database", database).out == "there is no user\n"


def test_a_password_is_changed_and_a_user_removed(
    wattrail: Type, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(monkeypatch, PASSWORD, "another long one")
    wattrail("user", "add", "anna", "--database", database)
    assert "error: there is a user 'anna' already" in wattrail("user", "add", "anna", "--database", database).err
    said = wattrail("user", "passwd", "anna", "--database", database)
    assert said.out == "anna has another password, and every session has ended\n"
    with AccessBook(Path(database), read_only=True) as book:
        user = book.user("anna")
    assert user is not None
    assert matches("another long one", user.password_hash)
    assert "no user 'bert'; known: anna" in wattrail("user", "passwd", "bert", "--database", database).err
    assert wattrail("user", "remove", "anna", "--database", database).out == "anna may no longer sign in\n"
    gone = wattrail("user", "remove", "anna", "--database", database)
    assert (gone.code, "there is no user 'anna'" in gone.err) == (1, True)


def test_a_token_is_shown_once_and_kept_as_a_hash(wattrail: Type, database: str) -> None:
    said = wattrail("token", "create", "--name", "grafana", "--days", "30", "--database", database)
    token = said.out.strip()
    assert said.code == 0
    assert "Keep it now: it is not shown again." in said.err
    assert token.encode() not in Path(database).read_bytes()
    with AccessBook(Path(database), read_only=True) as book:
        found = book.token(token_hash(token) or b"")
    assert found is not None
    assert (found.expires_at - found.created_at).days == 30
    listed = wattrail("token", "list", "--database", database).out
    assert listed.startswith(f"{found.prefix}  grafana                   read    valid    until ")
    assert token not in listed
    taken = wattrail("token", "create", "grafana", "--database", database)
    assert (taken.code, "there is a token 'grafana' already" in taken.err) == (1, True)


def test_the_first_letters_of_a_token_are_never_taken_for_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(("-" + 42 * "a", "b-" + 41 * "a"))
    monkeypatch.setattr("secrets.token_urlsafe", lambda _: next(drawn))
    assert token_prefix(new_token()) == "b-aaaaaa"


@pytest.mark.parametrize("by", ["name", "prefix"])
def test_a_token_is_revoked_by_its_name_or_its_first_letters(wattrail: Type, database: str, by: str) -> None:
    made = json.loads(wattrail("token", "create", "grafana", "--json", "--database", database).out)
    said = wattrail("token", "revoke", "--name", made[by], "--database", database)
    assert said.out == f"{made[by]} is revoked\n"
    (one,) = json.loads(wattrail("token", "list", "--json", "--database", database).out)
    assert (one["state"], "token" in one) == ("revoked", False)
    assert wattrail("token", "revoke", "grafana", "--database", database).code == 1
    assert wattrail("token", "create", "grafana", "--database", database).code == 0  # the name is free again


def test_every_command_stands_in_the_audit_log(wattrail: Type, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, PASSWORD)
    monkeypatch.setattr("getpass.getuser", lambda: "root")
    wattrail("user", "add", "anna", "--scope", "admin", "--database", database)
    wattrail("token", "create", "grafana", "--database", database)
    wattrail("token", "revoke", "grafana", "--database", database)
    lines = wattrail("user", "audit", "--database", database).out.splitlines()
    assert [line.partition("  ")[2] for line in lines] == [
        "root (command line)  token revoke grafana: done",
        "root (command line)  token create grafana, scope read, 365 days: done",
        "root (command line)  user add anna, scope admin: done",
    ]
    (newest,) = json.loads(wattrail("user", "audit", "--count", "1", "--json", "--database", database).out)
    assert datetime.fromisoformat(newest["at"]).astimezone(UTC) <= datetime.now(UTC)


def test_what_root_makes_belongs_to_the_owner_of_the_folder(
    wattrail: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, tuple[int, int]] = {}
    folder = tmp_path / "var"
    folder.mkdir()
    real = Path.stat
    service = os.stat_result((0o40750, 0, 0, 1, 998, 997, 0, 0, 0, 0))
    monkeypatch.setattr(Path, "stat", lambda path, **named: service if path == folder else real(path, **named))
    monkeypatch.setattr("wattrail.cli.access.os.geteuid", lambda: 0)
    monkeypatch.setattr("wattrail.cli.access.os.chown", lambda path, *who: given.update({path.name: who}))
    typed(monkeypatch, PASSWORD, PASSWORD)
    said = wattrail("user", "add", "anna", "--database", str(folder / "w.sqlite"))
    assert (said.code, said.err) == (0, f"as a user of {folder}/w.sqlite\n")
    assert given["w.sqlite"] == (998, 997)
    given.clear()
    assert wattrail("user", "add", "bert", "--database", str(folder / "w.sqlite")).code == 0
    assert not given, "what is there keeps its owner"


@pytest.mark.parametrize("words", [["user", "list"], ["token", "list"], ["user", "audit"], ["token", "revoke", "x"]])
def test_without_a_database_there_is_nothing_to_list(wattrail: Type, words: list[str]) -> None:
    said = wattrail(*words)
    assert (said.code, "there is no database" in said.err) == (2, True)


def test_a_user_is_made_where_the_gateway_will_look(
    wattrail: Type, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(monkeypatch, PASSWORD, PASSWORD)
    wattrail("user", "add", "anna")  # nothing is configured: that of the twin
    Path("wattrail.toml").write_text('[[meter]]\nname = "a"\nurl = "twin://pziot-e01"\n')
    wattrail("user", "add", "bert")
    files = {path.name for path in (home / "data").rglob("*.sqlite")}
    assert files == {"simulated.sqlite", "wattrail.sqlite"}
    assert "bert" in wattrail("user", "list").out
