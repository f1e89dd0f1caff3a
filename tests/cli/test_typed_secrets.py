"""A password that somebody types into a URL by mistake is refused, and shown in none of its forms."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.cli.conftest import Type
from wattrail.credentials import Credentials

TYPED = "Pl4nted-typed"


def forms(secret: str) -> set[str]:
    """How a password may be written; the pairs are those of HTTP."""
    plain = secret.encode()
    pairs = [plain, *(f"{user}:{secret}".encode() for user in ("admin", "meter", "me"))]
    return {
        secret, quote(secret), quote(secret, safe=""), quote_plus(secret), plain.hex(), plain.hex().upper(),
        plain.hex(" "), json.dumps(secret)[1:-1], repr(secret)[1:-1], plain.decode("latin-1"),
        *(base64.b64encode(pair).decode().rstrip("=") for pair in pairs),
    }  # fmt: skip


@pytest.mark.parametrize("login", [f"me:{TYPED}@", f"me:{TYPED}/x@", f"me:{TYPED} ?#x@", f"{TYPED}@", f"m%65:{TYPED}@"])
def test_a_secret_that_is_typed_into_a_url_is_hidden(wattrail: Type, login: str) -> None:
    for url in (
        f"mqtt://{login}192.0.2.1/x?device=openbeken", f"openbeken://{login}192.0.2.1", f"tcp://{login}192.0.2.1:1",
        f"{login}192.0.2.1:1", f"record:a.jsonl?of=tcp://{login}192.0.2.1:1", f"twin://{login}pziot-e01",
        f"mqtt:{login}x",
    ):  # fmt: skip
        said = [wattrail("meter", "read", "-v", url), wattrail("meter", "read", "--debug", url, "--json")]
        Path("wattrail.toml").write_text(f"[[meter]]\nname = 'a'\nurl = '{url}'\n")
        said += [wattrail("run", "--debug", "--no-web"), wattrail("meter", "read", "a", "-v")]
        said += [wattrail("discover", "--broker", url, "--seconds", "0.5")]
        for one in said:
            assert one.code != 0, one
            assert not [form for form in forms(TYPED) if form in one.out + one.err], (url, one)


@pytest.mark.parametrize("password", ["secret", 'a"b\\c', "ü ß", "&=?#%+/"])
def test_every_form_of_a_login_is_known(password: str) -> None:
    known = Credentials("admin", password).forms
    text = " ".join(forms(password) - {repr(password)[1:-1]})
    for form in known:
        text = text.replace(form, "***")
    assert all(form not in text for form in forms(password) if form in known)
    assert password not in repr(Credentials("admin", password))
