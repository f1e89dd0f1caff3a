"""Where a database is, as a person writes it: a path, or a URL without anything secret in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattrail.database_address import PostgresAddress, parse_address
from wattrail.errors import UrlError


@pytest.mark.parametrize("text", ["meters.sqlite", "/var/lib/wattrail/m.sqlite", "C:meters", "folder/a:b"])
def test_what_is_not_a_url_is_a_path(text: str) -> None:
    assert parse_address(text) == Path(text)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://db.example.net/meters",
        "postgresql://db.example.net:5433/meters?schema=attic&login=store&sslmode=verify-full&sslrootcert=system",
        "postgresql://[::1]:5433/meters",
        "postgresql:///meters",
        "postgresql:///meters?host=/run/postgresql&user=wattrail",
        "postgresql:///?service=meters",
    ],
)
def test_a_url_is_shown_as_it_was_written(text: str) -> None:
    address = parse_address(text)
    assert isinstance(address, PostgresAddress)
    assert str(address) == text
    assert parse_address(str(address)) == address


def test_the_short_name_of_the_scheme_means_the_same() -> None:
    assert parse_address("postgres://db/meters") == parse_address("postgresql://db/meters")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("postgresql://ada:secret@db/meters", "holds no user and no password"),
        ("postgresql://ada@db/meters", "holds no user and no password"),
        ("postgresql://db", "does not name one database"),
        ("postgresql://db/meters/house", "does not name one database"),
        ("postgresql://db/meters?password=secret", "has no option 'password'; known: schema, host, user, login"),
        ("postgresql://db/meters?schema=Attic;", "small letters"),
        ("postgresql://db/meters?schema=pg_catalog", "small letters"),
        ("postgresql://db/meters?sslmode=on", "must be one of disable"),
        ("postgresql:///meters?host=db", "folder of a socket"),
        ("mysql://db/meters", "'mysql' is not a kind of database"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused_with_its_reason(text: str, says: str) -> None:
    with pytest.raises(UrlError) as caught:
        parse_address(text)
    assert says in f"{caught.value} {caught.value.hint}"
    assert "secret@" not in str(caught.value)
