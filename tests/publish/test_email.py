"""E-mail to servers of aiosmtpd: TLS, logins, and every kind of refusal; what arrives is parsed by ``email``."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from tests.publish.broker import make_certificates
from tests.publish.message_rig import alarm, delivering, plan, raise_alarms
from tests.publish.rig import AT, Site
from wattrail.clock import ManualClock
from wattrail.ledger import By
from wattrail.publish import PublisherStatus
from wattrail.publish.email import EmailSender
from wattrail.publish.message import report_message
from wattrail.publish.stored_reports import MadeReports
from wattrail.store.messages import StoredMessages


@dataclass
class Mailbox:
    """A handler of aiosmtpd. Each answer is given once, in order; then everything is taken."""

    data_answers: list[str] = field(default_factory=list)
    receiver_answers: dict[str, str] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    over_tls: list[bool] = field(default_factory=list)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, options: Any) -> str:
        if address in self.receiver_answers:
            return self.receiver_answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        if self.data_answers:
            return self.data_answers.pop(0)
        made = message_from_bytes(bytes(envelope.content or b""), policy=policy.default)
        assert isinstance(made, EmailMessage)
        self.mails.append(made)
        self.over_tls.append(session.ssl is not None)
        return "250 taken"

    def authenticate(
        self, server: Any, session: Any, envelope: Any, mechanism: str, given: LoginPassword
    ) -> AuthResult:
        self.logins.append((given.login, given.password))
        return AuthResult(success=given.password == b"planted-password", handled=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority's file; beside it stand a certificate for this machine and its key."""
    return make_certificates(tmp_path_factory.mktemp("tls"))


@contextmanager
def serving(
    mailbox: Mailbox, tls: Path | None = None, *, is_implicit: bool = False, login: bool = False
) -> Iterator[int]:
    context = None
    if tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tls.parent / "broker.pem", tls.parent / "broker.key")
    options: dict[str, Any] = {"ssl_context": context} if is_implicit else {"tls_context": context}
    if login:
        options |= {"authenticator": mailbox.authenticate, "auth_required": True, "auth_require_tls": not is_implicit}
    elif context and not is_implicit:
        options |= {"require_starttls": True}
    controller = Controller(mailbox, hostname="127.0.0.1", port=0, **options)
    controller.port = free_port()
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("WATTRAIL_SECRETS", str(tmp_path / "secrets.toml"))
    monkeypatch.setenv("WATTRAIL_LOGIN_MAIL", "owner:planted-password")
    monkeypatch.setenv("WATTRAIL_LOGIN_WRONG", "owner:planted-mistake")
    monkeypatch.setenv("WATTRAIL_LOGIN_UMLAUT", "owner:plantedö")
    return Site(tmp_path)


def sender(port: int, **options: Any) -> EmailSender:
    given: dict[str, Any] = {"tls": "none", "to": ("owner@example.org",), "timeout_s": 5.0, **options}
    return EmailSender(host="127.0.0.1", port=port, sender="meters@example.org", **given)


@contextmanager
def stepping(site: Site, to: EmailSender) -> Iterator[Callable[[], None]]:
    """A function that lets a minute pass and tries again."""
    made = plan(to, name="email")
    clock = made.clock
    assert isinstance(clock, ManualClock)
    with delivering(site, made) as delivery:

        def step() -> None:
            clock.advance(60)
            delivery.step()

        yield step


def test_an_alarm_arrives_with_the_headers_of_an_automatic_mail(site: Site) -> None:
    mailbox = Mailbox()
    with serving(mailbox) as port, stepping(site, sender(port, to=("a@example.org", "b@example.org"))) as step:
        raise_alarms(site, alarm("garage: 3 × 16 A"))
        step()
        step()
    (mail,) = mailbox.mails
    assert mail["Subject"] == "alarm raised: garage: 3 × 16 A"
    assert (mail["From"], mail["To"]) == ("meters@example.org", "a@example.org, b@example.org")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].startswith("<msg_")
    assert mail["Message-ID"].endswith("_alarm-1@example.org>")
    assert mail["Date"].datetime.tzinfo is not None
    body = mail.get_body(("plain",))
    assert body is not None
    assert "warning, rule over-voltage, 2026-11-22 05:30:00+0000" in body.get_content()


def test_the_login_goes_over_starttls(site: Site, authority: Path) -> None:
    mailbox = Mailbox()
    with (
        serving(mailbox, authority, login=True) as port,
        stepping(site, sender(port, tls="starttls", ca_file=authority, login="mail")) as step,
    ):
        raise_alarms(site, alarm())
        step()
    assert mailbox.logins == [(b"owner", b"planted-password")]
    assert mailbox.over_tls == [True]


def test_tls_from_the_first_byte_works_as_well(site: Site, authority: Path) -> None:
    mailbox = Mailbox()
    with (
        serving(mailbox, authority, is_implicit=True) as port,
        stepping(site, sender(port, tls="implicit", ca_file=authority)) as step,
    ):
        raise_alarms(site, alarm())
        step()
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"login": "wrong"}, "535 5.7.8 Authentication credentials invalid"),
        ({"login": "none"}, "no login 'none' is stored"),
        ({"login": "umlaut"}, "the login is not ASCII"),
        ({}, "530 5.7.0 Authentication required"),
        ({"login": "mail", "ca_file": None}, "its certificate is not trusted: "),
    ],
)
def test_what_only_a_person_can_correct_keeps_the_message(
    site: Site, authority: Path, caplog: pytest.LogCaptureFixture, options: dict[str, Any], complaint: str
) -> None:
    mailbox = Mailbox()
    given = {"tls": "starttls", "ca_file": authority, **options}
    with serving(mailbox, authority, login=True) as port, stepping(site, sender(port, **given)) as step:
        raise_alarms(site, alarm())
        step()
    state = site.state("email")
    assert (state.status, state.waiting) == (PublisherStatus.REFUSED, 1)
    assert complaint in str(state.error)
    assert state.hint
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("wattrail")]
    assert "planted" not in f"{state} {logged}"
    assert mailbox.mails == []


def test_a_server_without_starttls_gets_neither_password_nor_mail(site: Site) -> None:
    mailbox = Mailbox()
    with serving(mailbox) as port, stepping(site, sender(port, tls="starttls", login="mail")) as step:
        raise_alarms(site, alarm())
        step()
    assert "has no STARTTLS" in str(site.state("email").error)
    assert (mailbox.logins, mailbox.mails) == ([], [])


@pytest.mark.parametrize("answer", ["451 4.3.0 try later", "452 4.2.2 mailbox full", "421 4.3.2 shutting down"])
def test_a_temporary_refusal_is_tried_again(site: Site, answer: str) -> None:
    mailbox = Mailbox(data_answers=[answer])
    with serving(mailbox) as port, stepping(site, sender(port)) as step:
        raise_alarms(site, alarm())
        step()
        state = site.state("email")
        assert (state.status, state.waiting) == (PublisherStatus.AWAY, 1)
        assert answer in str(state.error)
        step()
    assert len(mailbox.mails) == 1
    assert site.state("email").status is PublisherStatus.LIVE


def test_a_refused_mail_is_kept_and_the_next_one_goes(site: Site) -> None:
    mailbox = Mailbox(data_answers=["554 5.7.1 looks like spam"])
    with serving(mailbox) as port, stepping(site, sender(port)) as step:
        raise_alarms(site, alarm("the first"), alarm("the second"))
        step()
    assert [mail["Subject"] for mail in mailbox.mails] == ["alarm raised: the second"]
    with StoredMessages(site.database) as stored:
        (kept,) = stored.refused("email")
    assert kept.subject == "alarm raised: the first"
    assert kept.reason.endswith("answers 554 5.7.1 looks like spam")


def test_one_receiver_of_two_that_is_refused_is_named_and_kept(site: Site) -> None:
    mailbox = Mailbox(receiver_answers={"gone@example.org": "550 5.1.1 no such user"})
    to = ("owner@example.org", "gone@example.org")
    with serving(mailbox) as port, stepping(site, sender(port, to=to)) as step:
        raise_alarms(site, alarm())
        step()
        step()
    assert len(mailbox.mails) == 1, "the other one has it, once"
    assert list(site.state("email").held.values()) == ["gone@example.org: 550 5.1.1 no such user"]


def test_when_every_receiver_is_refused_a_person_has_to_act(site: Site) -> None:
    mailbox = Mailbox(receiver_answers={"owner@example.org": "550 5.1.1 no such user"})
    with serving(mailbox) as port, stepping(site, sender(port)) as step:
        raise_alarms(site, alarm())
        step()
        state = site.state("email")
        assert (state.status, state.waiting) == (PublisherStatus.REFUSED, 1)
        assert "refuses every receiver: owner@example.org: 550 5.1.1 no such user" in str(state.error)
        mailbox.receiver_answers.clear()
        step()
    assert len(mailbox.mails) == 1


def test_a_greylisted_receiver_is_tried_again(site: Site) -> None:
    mailbox = Mailbox(receiver_answers={"owner@example.org": "450 4.2.0 greylisted"})
    with serving(mailbox) as port, stepping(site, sender(port)) as step:
        raise_alarms(site, alarm())
        step()
        assert site.state("email").status is PublisherStatus.AWAY
        mailbox.receiver_answers.clear()
        step()
    assert len(mailbox.mails) == 1


def test_after_a_day_without_a_server_every_mail_comes_in_order(site: Site) -> None:
    with stepping(site, sender(free_port(), timeout_s=0.5)) as step:
        raise_alarms(site, *(alarm(f"number {number}") for number in range(20)))
        step()
        assert (site.state("email").status, site.state("email").waiting) == (PublisherStatus.AWAY, 20)
    mailbox = Mailbox()
    with serving(mailbox) as port, stepping(site, sender(port)) as step:
        step()
    assert [mail["Subject"] for mail in mailbox.mails] == [f"alarm raised: number {number}" for number in range(20)]


def test_a_report_comes_as_text_and_as_html(site: Site) -> None:
    made = report_message(MadeReports((), ("house", "<shed>")), date(2026, 6, 21), "0", by=By.DAY, at=AT)
    mailbox = Mailbox()
    with serving(mailbox) as port:
        sender(port).send(made, ManualClock())
    (mail,) = mailbox.mails
    text, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert page is not None
    assert "nothing is booked for house, <shed>" in text.get_content()
    assert "<p>nothing is booked for house, &lt;shed&gt;</p>" in page.get_content()


def test_a_text_with_line_breaks_adds_no_header(site: Site) -> None:
    mailbox = Mailbox()
    with serving(mailbox) as port, stepping(site, sender(port)) as step:
        raise_alarms(site, alarm("house\r\nBcc: other@example.org", simulated=True))
        step()
    (mail,) = mailbox.mails
    assert mail["Bcc"] is None
    assert mail["Subject"].startswith("[simulated] alarm raised: house")
