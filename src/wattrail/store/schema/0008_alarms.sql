-- What alarms were raised, cleared and acknowledged, and the last that each consumer got.

-- Append-only: the state of every alarm follows from its rows, also after a restart.
CREATE TABLE alarm_event (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at          INTEGER NOT NULL,
    rule        TEXT    NOT NULL CHECK (length(rule) > 0),
    meter       TEXT,                                         -- its name; NULL: of no meter, as a test of the delivery
    meter_id    INTEGER REFERENCES meter (id),                -- NULL also for a meter that was never read
    change      TEXT    NOT NULL CHECK (change IN ('raised', 'cleared', 'acknowledged')),
    severity    TEXT    NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    value       REAL,
    limit_value REAL,
    unit        TEXT    NOT NULL,
    text        TEXT    NOT NULL,
    simulated   INTEGER NOT NULL CHECK (simulated IN (0, 1)),
    deliver_at  INTEGER                                       -- the end of its quiet hours; NULL: at once
) STRICT;
CREATE INDEX alarm_event_by_rule ON alarm_event (rule, meter, id);
CREATE INDEX alarm_event_held_back ON alarm_event (deliver_at) WHERE deliver_at IS NOT NULL;
CREATE TRIGGER alarm_event_is_never_edited BEFORE UPDATE ON alarm_event
BEGIN SELECT RAISE(ABORT, 'an alarm event is never edited'); END;
CREATE TRIGGER alarm_event_is_never_removed BEFORE DELETE ON alarm_event
BEGIN SELECT RAISE(ABORT, 'an alarm event is never removed'); END;

-- The last event that a consumer got. It has all before it, but for those with a deliver_at after "until".
CREATE TABLE alarm_delivery (
    consumer TEXT    PRIMARY KEY,
    last_id  INTEGER NOT NULL,
    until    INTEGER
) STRICT, WITHOUT ROWID;
