"""aiomqtt's client, which takes a broker's refusal of a message for a refusal. Imported only where aiomqtt is there."""

from __future__ import annotations

from typing import Any

import aiomqtt

__all__ = ["CheckedClient"]


class CheckedClient(aiomqtt.Client):
    """``publish`` raises MqttCodeError if the broker did not take what was sent on this connection.

    A broker acknowledges also what it refuses, with a reason: a topic without write access, a message that is too
    large. aiomqtt 2.5 does not look at it, and a register would count as delivered.
    """

    _refusal: Any = None

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason_code: Any, properties: Any) -> None:  # noqa: ANN401 as aiomqtt has it
        if reason_code.is_failure:
            self._refusal = reason_code
        super()._on_publish(client, userdata, mid, reason_code, properties)

    async def publish(self, /, topic: str, *args: Any, **options: Any) -> None:  # noqa: ANN401 as aiomqtt has it
        """Publish, and wait for the acknowledgement of QoS 1 and 2. Raises MqttCodeError, MqttError."""
        await super().publish(topic, *args, **options)
        if self._refusal is not None:
            raise aiomqtt.MqttCodeError(self._refusal, "a message was refused")
