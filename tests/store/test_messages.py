"""What is stored of messages: how far each consumer's reports went, and what it refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from wattrail.database_address import DatabaseAddress
from wattrail.errors import StoreError
from wattrail.store import messages as stored_messages
from wattrail.store import open_store
from wattrail.store.messages import RefusedMessage, StoredMessages

AT = datetime(2026, 6, 21, 12, tzinfo=UTC)


def refused(number: int, consumer: str = "email") -> RefusedMessage:
    return RefusedMessage(
        consumer=consumer, message_id=f"msg_{number}", at=AT, subject=f"alarm {number}", text="over-voltage",
        reason="554 no",
    )  # fmt: skip


@pytest.fixture
def path(address: DatabaseAddress) -> DatabaseAddress:
    open_store(address).close()
    return address


def test_a_consumer_has_one_token_for_ever_and_another_has_another(path: DatabaseAddress) -> None:
    with StoredMessages(path) as stored:
        token, other = stored.token("email"), stored.token("webhook.phone")
    with StoredMessages(path) as stored:
        assert stored.token("email") == token != other


def test_each_consumer_knows_its_last_daily_and_monthly_report(path: DatabaseAddress) -> None:
    with StoredMessages(path) as stored:
        assert stored.last_report("email", "daily") is None
        stored.token("email")
        assert stored.last_report("email", "daily") is None
        stored.mark_report("email", "daily", date(2026, 6, 21))
        stored.mark_report("email", "monthly", date(2026, 5, 1))
    with StoredMessages(path) as stored:
        assert stored.last_report("email", "daily") == date(2026, 6, 21)
        assert stored.last_report("email", "monthly") == date(2026, 5, 1)
        assert stored.last_report("webhook.phone", "daily") is None


def test_a_refused_message_is_kept_once_and_listed_newest_first(path: DatabaseAddress) -> None:
    with StoredMessages(path) as stored:
        for message in (refused(1), refused(1), refused(2), refused(3, "webhook.phone")):
            stored.keep_refused(message)
        assert stored.refused("email") == (refused(2), refused(1))
        assert stored.refused() == (refused(3, "webhook.phone"), refused(2), refused(1))


def test_refused_messages_are_bounded_and_the_oldest_go(path: DatabaseAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_messages, "MAX_REFUSED", 3)
    with StoredMessages(path) as stored:
        for number in range(5):
            stored.keep_refused(refused(number))
        assert [message.message_id for message in stored.refused()] == ["msg_4", "msg_3", "msg_2"]


def test_a_database_that_is_not_there_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="the messages in"), StoredMessages(tmp_path / "none.sqlite") as stored:
        stored.token("email")
    assert not (tmp_path / "none.sqlite").exists()
