"""What the body of a webhook looks like: the whole message as JSON, a preset for a service, or a template.

A template is text with ``$field`` in it. In a JSON template each field becomes a JSON value, quotes included.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from string import Template
from types import MappingProxyType
from typing import Final

from wattrail.errors import ConfigError
from wattrail.publish.message import FIELDS, SAMPLE, OutgoingMessage, as_json, fields

__all__ = ["PRESETS", "WHOLE_MESSAGE", "BodyTemplate"]

_CUT: Final = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyTemplate:
    """How a body is made. ``max_text`` is the most characters of ``text`` that a service takes.

    An empty ``template`` gives the whole message. Raises ConfigError for a template that does not fit.
    """

    template: str = ""
    is_json: bool = True
    max_text: int | None = None

    def __post_init__(self) -> None:
        if not self.template:
            return
        made = Template(self.template)
        known = f"known: {', '.join(FIELDS)}"
        if not made.is_valid():
            raise ConfigError(
                "a $ stands for nothing", hint=f"write $$ for a dollar sign, or the name of a field; {known}"
            )
        unknown = [name for name in made.get_identifiers() if name not in FIELDS]
        if unknown:
            raise ConfigError(f"unknown field ${unknown[0]}", hint=known)
        if self.is_json:
            try:
                json.loads(self.body(SAMPLE))
            except ValueError as error:
                raise ConfigError(
                    f"is not JSON once its fields are filled in: {error}",
                    hint='a field brings its own quotes: write {"title": $subject}; for plain text set format = "text"',
                ) from error

    @property
    def content_type(self) -> str:
        """The header of that name."""
        return "application/json" if self.is_json else "text/plain; charset=utf-8"

    def body(self, message: OutgoingMessage) -> bytes:
        """The body for a message."""
        if not self.template:
            return as_json(message)
        known = fields(message)
        text = str(known["text"])
        if self.max_text is not None and len(text) > self.max_text:
            known["text"] = text[: self.max_text - len(_CUT)] + _CUT
        shown = {name: self._shown(value) for name, value in known.items()}
        return Template(self.template).substitute(shown).encode()

    def _shown(self, value: str | int | bool | None) -> str:
        if self.is_json:
            return json.dumps(value, ensure_ascii=False)
        if isinstance(value, bool):
            return "true" if value else "false"
        return "" if value is None else str(value)


WHOLE_MESSAGE: Final = BodyTemplate()

PRESETS: Final = MappingProxyType(
    {
        # the whole body is what is shown; a longer one becomes an attachment (docs.ntfy.sh/publish, limitations)
        "ntfy": BodyTemplate(template="$text", is_json=False, max_text=1300),
        # gotify.net/api-docs, createMessage
        "gotify": BodyTemplate(template='{"title": $subject, "message": $text, "priority": $priority}'),
        # docs.slack.dev, incoming webhooks; Mattermost and Rocket.Chat take the same
        "slack": BodyTemplate(template='{"text": $text}', max_text=39_000),
        # docs.discord.com, execute webhook: content up to 2000 characters; nobody is notified by a name in a text
        "discord": BodyTemplate(template='{"content": $text, "allowed_mentions": {"parse": []}}', max_text=2000),
    }
)
"""Bodies of services that people use for messages."""
