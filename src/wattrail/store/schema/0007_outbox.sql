-- What is on its way to other programs: registers until they are delivered, and what was left behind at a consumer.

-- The name under which other programs know a meter, for the life of its account.
CREATE TABLE identity (
    meter_id INTEGER PRIMARY KEY REFERENCES meter (id),
    identity TEXT    NOT NULL UNIQUE CHECK (length(identity) > 0)
) STRICT;
CREATE TRIGGER identity_is_never_edited BEFORE UPDATE ON identity
BEGIN SELECT RAISE(ABORT, 'the identity of a meter is kept for the life of its account'); END;

-- Registers that a consumer has yet to get, oldest first. Rows go when they are delivered.
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    consumer   TEXT    NOT NULL,
    meter_id   INTEGER NOT NULL REFERENCES meter (id),
    at         INTEGER NOT NULL,
    import_mwh INTEGER NOT NULL CHECK (import_mwh >= 0),
    export_mwh INTEGER NOT NULL CHECK (export_mwh >= 0)
) STRICT;
CREATE INDEX outbox_by_consumer ON outbox (consumer, id);

-- The last registers that a consumer gets, or got: nothing below them is ever passed on.
CREATE TABLE outbox_last (
    consumer   TEXT    NOT NULL,
    meter_id   INTEGER NOT NULL REFERENCES meter (id),
    at         INTEGER NOT NULL,
    import_mwh INTEGER NOT NULL,
    export_mwh INTEGER NOT NULL,
    PRIMARY KEY (consumer, meter_id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER outbox_last_never_falls BEFORE UPDATE ON outbox_last
WHEN NEW.import_mwh < OLD.import_mwh OR NEW.export_mwh < OLD.export_mwh
BEGIN SELECT RAISE(ABORT, 'a published register never falls'); END;

-- Retained topics at a broker, with the live quantities that were announced: what has no meter any more is cleared.
CREATE TABLE announced (
    consumer   TEXT    NOT NULL,
    topic      TEXT    NOT NULL,
    meter_id   INTEGER NOT NULL REFERENCES meter (id),
    quantities TEXT    NOT NULL,
    PRIMARY KEY (consumer, topic)
) STRICT, WITHOUT ROWID;
