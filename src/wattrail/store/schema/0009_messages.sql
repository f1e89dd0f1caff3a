-- Messages to people and programs: alarms and reports. What is sent follows from cursors, so no message is stored but
-- those that a consumer refused.

-- A consumer of messages. Its token makes the ids of its messages unique; daily and monthly are the first days of the
-- last periods whose report it got, such as 2026-06-21.
CREATE TABLE message_consumer (
    consumer TEXT PRIMARY KEY,
    token    TEXT NOT NULL UNIQUE CHECK (length(token) > 0),
    daily    TEXT,
    monthly  TEXT
) STRICT, WITHOUT ROWID;

-- Messages that a consumer refused, with its reason: kept for a person to see.
CREATE TABLE refused_message (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    consumer   TEXT    NOT NULL,
    message_id TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    subject    TEXT    NOT NULL,
    text       TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    UNIQUE (consumer, message_id)
) STRICT;
