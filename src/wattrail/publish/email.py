"""Sends messages as e-mail: text, and HTML where there is some, by SMTP with TLS."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Final, Literal

from wattrail.clock import Clock
from wattrail.credentials import Credentials
from wattrail.errors import AccessDenied, PortOpenError, WattrailError
from wattrail.publish.authority import not_trusted, trusting
from wattrail.publish.delivery import MessageRefused
from wattrail.publish.message import OutgoingMessage
from wattrail.publish.status import DeliveryFailed, PublisherStatus
from wattrail.sanitize import hide_credentials, printable
from wattrail.sources import Secrets
from wattrail.transport.connection_reason import connection_reason

__all__ = ["EmailSender", "SmtpTls"]

SmtpTls = Literal["implicit", "starttls", "none"]
"""From the first byte on (smtps), after STARTTLS, or not at all."""

_MAX_SUBJECT: Final = 200
_IS_LATER: Final = range(400, 500)
"""Replies by which a server asks for the same message later (RFC 5321, 4.2.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailSender:
    """Sends from one address to others, through one server. ``login`` is the name of its user and password."""

    host: str
    port: int
    tls: SmtpTls
    sender: str
    to: tuple[str, ...]
    login: str | None = None
    ca_file: Path | None = None
    timeout_s: float = 20.0

    @property
    def target(self) -> str:
        """The server and the receivers."""
        scheme = "smtps" if self.tls == "implicit" else "smtp"
        return f"{scheme}://{self.host}:{self.port} ({', '.join(self.to)})"

    def send(self, message: OutgoingMessage, clock: Clock) -> None:
        """One e-mail to all receivers, by a connection of its own. Raises DeliveryFailed, MessageRefused."""
        made = self._email(message, clock.now())
        login: Credentials | None = None
        try:
            login = None if self.login is None else Secrets().required(self.login)
            with self._connected() as server:
                if login is not None:
                    server.login(login.user, login.password)
                refused = server.send_message(made, self.sender, self.to)
        except UnicodeError as error:
            raise self._failure(error, login) from None  # it quotes the password
        except (OSError, smtplib.SMTPException) as error:
            raise self._failure(error, login) from error
        except WattrailError as error:
            raise DeliveryFailed(PublisherStatus.REFUSED, error) from error
        if refused:
            raise MessageRefused("; ".join(f"{who}: {_said(*reply)}" for who, reply in refused.items()))

    def _email(self, message: OutgoingMessage, now: datetime) -> EmailMessage:
        made = EmailMessage()
        made["Subject"] = printable(message.subject, limit=_MAX_SUBJECT)
        made["From"] = self.sender
        made["To"] = ", ".join(self.to)
        made["Date"] = format_datetime(now)
        made["Message-ID"] = f"<{message.id}@{self.sender.rpartition('@')[2]}>"  # the same when it is sent again
        made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office note comes back
        made.set_content(f"{message.text}\n")
        if message.html is not None:
            made.add_alternative(message.html, subtype="html")
        return made

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        context = trusting(self.ca_file)
        server = (
            smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout_s, context=context)
            if self.tls == "implicit"
            else smtplib.SMTP(self.host, self.port, timeout=self.timeout_s)
        )
        try:
            if self.tls == "starttls":
                server.starttls(context=context)
            yield server
        finally:
            # A QUIT that fails must not hide what was said before it.
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
            server.close()

    def _failure(self, error: Exception, login: Credentials | None) -> Exception:
        """What a failed exchange means: try later, a person has to act, or this very message is refused."""
        where = f"smtp server {self.host}:{self.port}"
        match error:
            case ssl.SSLCertVerificationError():
                return DeliveryFailed(PublisherStatus.REFUSED, not_trusted(where, error))
            case UnicodeError():
                return _denied(f"{where}: the login is not ASCII, as SMTP needs it", "choose another password")
            # Before the plain case below, whose remedy is another one.
            case smtplib.SMTPNotSupportedError() if "STARTTLS" in str(error):
                return _denied(f"{where} has no STARTTLS", 'set tls = "none" if it may be sent unencrypted')
            case smtplib.SMTPNotSupportedError():
                return _denied(f"{where}: {_hidden(str(error), login)}", "remove login if the server needs none")
            case smtplib.SMTPRecipientsRefused():
                replies = error.recipients.items()
                text = "; ".join(f"{who}: {_said(*reply)}" for who, reply in replies)
                code = max(reply[0] for _, reply in replies)
                return self._answered(code, f"{where} refuses every receiver: {text}", "check to and from")
            case smtplib.SMTPDataError() if error.smtp_code not in _IS_LATER:
                return MessageRefused(f"{where} answers {_said(error.smtp_code, error.smtp_error)}")
            case smtplib.SMTPResponseException():
                text = _hidden(_said(error.smtp_code, error.smtp_error), login)
                is_login = isinstance(error, smtplib.SMTPAuthenticationError)
                hint = "docs/notify.md says where a login is stored" if is_login else "check from, and login"
                return self._answered(error.smtp_code, f"{where} answers {text}", hint)
            case _:
                reason = printable(_hidden(connection_reason(error, f"{self.host}:{self.port}"), login), limit=200)
                away = PortOpenError(
                    f"{where}: cannot send: {reason}", hint="check the address, and that it runs there"
                )
                return DeliveryFailed(PublisherStatus.AWAY, away)

    def _answered(self, code: int, text: str, hint: str) -> DeliveryFailed:
        # smtplib gives -1 for a reply that it could not read.
        if code in _IS_LATER or code < 0:
            return DeliveryFailed(PublisherStatus.AWAY, PortOpenError(text))
        return _denied(text, hint)


def _denied(text: str, hint: str) -> DeliveryFailed:
    return DeliveryFailed(PublisherStatus.REFUSED, AccessDenied(text, hint=hint))


def _said(code: int, text: bytes | str) -> str:
    shown = text.decode(errors="replace") if isinstance(text, bytes) else text
    return f"{code} {printable(shown, limit=200)}".rstrip()


def _hidden(text: str, login: Credentials | None) -> str:
    return hide_credentials(text, *([login.password] if login else []))
