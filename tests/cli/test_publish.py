"""A person tries whether messages arrive, and looks at those that were refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from tests.cli.conftest import Type
from wattrail.app.config import data_dir
from wattrail.store import open_store
from wattrail.store.messages import RefusedMessage, StoredMessages

MAIL = """[publish.email]
server = "smtp://127.0.0.1:9"
from = "a@example.org"
to = ["b@example.org"]
events = ["daily"]
"""


@pytest.fixture
def config(home: Path, tmp_path: Path, httpserver: HTTPServer) -> Path:
    file = tmp_path / "wattrail.toml"
    url = httpserver.url_for("/planted")
    file.write_text(f'[[publish.webhook]]\nname = "phone"\nurl = "{url}"\nevents = ["alarms"]\n{MAIL}')
    return file


@pytest.mark.parametrize("name", ["phone", "webhook.phone"])
def test_a_test_message_reaches_a_webhook(wattrail: Type, config: Path, httpserver: HTTPServer, name: str) -> None:
    httpserver.expect_request("/planted").respond_with_data(status=204)
    said = wattrail("publish", "test", name, "--config", str(config))
    assert (said.code, said.out) == (0, "webhook.phone: the message is delivered\n")
    assert "planted" not in said.err
    ((request, _),) = httpserver.log
    assert json.loads(request.data)["type"] == "test"


@pytest.mark.parametrize(
    ("answer", "code", "complaint"),
    [
        (Response(status=401), 3, "answers 401"),
        (Response(status=503), 3, "answers 503"),
        (Response("no body", status=400), 4, "the message is refused: "),
    ],
)
def test_a_test_that_fails_says_what_was_answered(
    wattrail: Type, config: Path, httpserver: HTTPServer, answer: Response, code: int, complaint: str
) -> None:
    httpserver.expect_request("/planted").respond_with_response(answer)
    said = wattrail("publish", "test", "phone", "--config", str(config))
    assert said.code == code
    assert complaint in said.err
    assert said.out == ""


def test_a_mail_server_that_is_not_there_is_named(wattrail: Type, config: Path) -> None:
    said = wattrail("publish", "test", "email", "--config", str(config))
    assert said.code == 3
    assert "smtp server 127.0.0.1:9: cannot send: connection refused: nothing listens at" in said.err
    assert "hint: check the address" in said.err


def test_an_unknown_name_lists_the_known_ones(wattrail: Type, config: Path, home: Path) -> None:
    said = wattrail("publish", "test", "pager", "--config", str(config))
    assert (said.code, "no webhook is named 'pager'; known: phone, email" in said.err) == (2, True)
    config.write_text("[web]\nport = 0\n")
    said = wattrail("publish", "test", "pager", "--config", str(config))
    assert (said.code, "no webhook and no e-mail is configured" in said.err) == (2, True)


def test_refused_messages_are_listed_with_their_reasons(wattrail: Type, home: Path) -> None:
    path = data_dir() / "wattrail.sqlite"
    open_store(path).close()
    said = wattrail("publish", "refused")
    assert (said.code, said.out, "no message was refused" in said.err) == (0, "", True)
    with StoredMessages(path) as stored:
        stored.keep_refused(
            RefusedMessage(
                consumer="email", message_id="msg_1", at=datetime(2026, 6, 21, tzinfo=UTC), subject="alarm \x1b[2J",
                text="too hot", reason="554 no",
            )
        )  # fmt: skip
    said = wattrail("publish", "refused")
    assert "email  alarm \\x1b[2J\n    554 no\n" in said.out
    (listed,) = json.loads(wattrail("publish", "refused", "--json").out)
    assert (listed["message_id"], listed["text"]) == ("msg_1", "too hot")
