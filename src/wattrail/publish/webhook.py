"""Sends messages by HTTP POST, by Standard Webhooks 1.0: an id, a time and, with a secret, a signature in the headers.

Source of headers, signature and status codes: standard-webhooks.md, version 1.0.0 (www.standardwebhooks.com).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urljoin, urlsplit

from wattrail.clock import Clock
from wattrail.credentials import Credentials
from wattrail.errors import AccessDenied, ConfigError, PortOpenError, WattrailError
from wattrail.publish.authority import HttpPost, PostAnswer, basic_authorization
from wattrail.publish.delivery import MessageRefused
from wattrail.publish.message import OutgoingMessage
from wattrail.publish.status import DeliveryFailed, PublisherStatus
from wattrail.publish.template import WHOLE_MESSAGE, BodyTemplate
from wattrail.sanitize import hide_credentials, printable
from wattrail.sources import Secrets

__all__ = ["WebhookSender", "signature"]

_TOKEN: Final = re.compile(r"[!-~]+")
_MIN_HIDDEN: Final = 8
"""Shortest path that is hidden in an answer: hiding ``/a`` would hide the message."""

# The bounds that Standard Webhooks sets.
_MIN_SECRET_BYTES: Final = 24
_MAX_SECRET_BYTES: Final = 64
_LATER: Final = frozenset({408, 425, 429})
"""The server asks for the same request later; so does every status from 500."""

_ABOUT_THE_ADDRESS: Final = frozenset({401, 403, 404, 405, 407, 410})
"""Login or address are wrong, so every message would be refused: a person has to act."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSender:
    """Posts messages to one URL. ``login`` and ``secret`` are names under which credentials are stored.

    A login with a user is sent as basic authentication, one without as a bearer token.
    """

    url: str
    body: BodyTemplate = WHOLE_MESSAGE
    login: str | None = None
    secret: str | None = None
    ca_file: Path | None = None
    timeout_s: float = 10.0

    @property
    def target(self) -> str:
        """Scheme and host: the path of many webhooks is a password."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}/" + ("…" if parts.path.strip("/") or parts.query else "")

    def send(self, message: OutgoingMessage, clock: Clock) -> None:
        """One POST. Raises DeliveryFailed, MessageRefused."""
        body = self.body.body(message)
        try:
            login = None if self.login is None else Secrets().required(self.login)
            headers = self._headers(message, body, clock.now(), login)
        except WattrailError as error:
            raise DeliveryFailed(PublisherStatus.REFUSED, error) from error
        post = HttpPost(url=self.url, shown=self.target, action="send", timeout_s=self.timeout_s, ca_file=self.ca_file)
        answer = post.send(body, headers)
        if not 200 <= answer.status < 300:
            self._refuse(answer, clock.now(), login)

    def _headers(
        self, message: OutgoingMessage, body: bytes, now: datetime, login: Credentials | None
    ) -> dict[str, str]:
        at = int(now.timestamp())
        headers = {
            "Content-Type": self.body.content_type,
            "User-Agent": "wattrail",
            "webhook-id": message.id,
            "webhook-timestamp": str(at),
        }
        if login is not None:
            headers["Authorization"] = _authorization(login)
        if self.secret is not None:
            headers["webhook-signature"] = signature(_key(self.secret), message.id, at, body)
        return headers

    def _refuse(self, answer: PostAnswer, now: datetime, login: Credentials | None) -> None:
        text = f"{self.target} answers {answer.status}"
        if answer.status < 400:  # not followed: a login would go where nobody sent it (ADR 36)
            place = urlsplit(urljoin(self.url, answer.headers.get("Location", "")))
            to = printable(f"{place.scheme}://{place.hostname}/", limit=100)
            moved = AccessDenied(f"{text}, a redirect to {to}", hint="write the new address as url")
            raise DeliveryFailed(PublisherStatus.REFUSED, moved)
        if said := self._without_secrets(answer.body.decode(errors="replace"), login):
            text += f": {printable(said, limit=200)}"
        if answer.status in _LATER or answer.status >= 500:
            wait_s = _retry_after_s(answer.headers.get("Retry-After"), now)
            raise DeliveryFailed(PublisherStatus.AWAY, PortOpenError(text), retry_after_s=wait_s)
        if answer.status in _ABOUT_THE_ADDRESS:
            denied = AccessDenied(text, hint="check url and login; docs/notify.md says where a login is stored")
            raise DeliveryFailed(PublisherStatus.REFUSED, denied)
        raise MessageRefused(text)

    def _without_secrets(self, said: str, login: Credentials | None) -> str:
        """What a server says; many repeat the path of the request, some its headers."""
        parts = urlsplit(self.url)
        secrets = [part for part in (parts.query, parts.path.strip("/")) if len(part) >= _MIN_HIDDEN]
        if login is not None:
            secrets += [login.password, _authorization(login).partition(" ")[2]]
        return hide_credentials(said, *secrets)


def signature(key: bytes, message_id: str, at: int, body: bytes) -> str:
    """The symmetric signature, version 1; ``at`` is in Unix seconds. Source: Standard Webhooks, signature scheme."""
    signed = hmac.new(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(signed.digest()).decode()}"


def _authorization(login: Credentials) -> str:
    if not login.user:
        if not _TOKEN.fullmatch(login.password):
            raise ConfigError("the token has characters that no HTTP header carries", hint="store it again")
        return f"Bearer {login.password}"
    return basic_authorization(login)


def _key(name: str) -> bytes:
    # Standard Webhooks writes a secret with this before it.
    text = Secrets().required(name).password.removeprefix("whsec_")
    key = b""
    with suppress(ValueError):
        key = base64.b64decode(text, validate=True)
    if not _MIN_SECRET_BYTES <= len(key) <= _MAX_SECRET_BYTES:
        raise ConfigError(
            f"the secret {name!r} is not whsec_ and {_MIN_SECRET_BYTES} to {_MAX_SECRET_BYTES} bytes in base64",
            hint='make one: echo "whsec_$(openssl rand -base64 32)"',
        )
    return key


def _retry_after_s(text: str | None, now: datetime) -> float:
    """Seconds that a header asks for, as a number or as a date; 0 for none and for what is neither."""
    if text is None:
        return 0.0
    if text.strip().isdecimal():
        # Cut, since a server may send a number of any length.
        return float(text[:9])
    with suppress(ValueError):
        # Without a zone it is taken for UTC, which is what HTTP dates are in.
        until = parsedate_to_datetime(text)
        return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds())
    return 0.0
