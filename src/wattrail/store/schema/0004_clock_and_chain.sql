-- Entries may say that the clock was set, and every row of the books carries a hash over itself and the row before.

CREATE TABLE entry_4 (
    meter_id         INTEGER NOT NULL,
    sequence         INTEGER NOT NULL CHECK (sequence > 0),
    kind             TEXT    NOT NULL CHECK (kind IN ('start', 'counted', 'restart', 'gap', 'epoch', 'clock')),
    started_at       INTEGER NOT NULL,
    ended_at         INTEGER NOT NULL,
    epoch            INTEGER NOT NULL,
    count            INTEGER NOT NULL,
    positive         INTEGER NOT NULL,
    negative         INTEGER NOT NULL,
    undirected       INTEGER NOT NULL,
    elapsed_us       INTEGER NOT NULL,
    readings         INTEGER NOT NULL,
    watt_us_positive INTEGER NOT NULL,
    watt_us_negative INTEGER NOT NULL,
    carry            INTEGER NOT NULL,
    mode             INTEGER NOT NULL,
    status           INTEGER NOT NULL,
    note             TEXT    NOT NULL,
    reading_id       INTEGER NOT NULL,
    watt             INTEGER,
    hash             BLOB,
    PRIMARY KEY (meter_id, sequence),
    FOREIGN KEY (meter_id, epoch) REFERENCES epoch (meter_id, number)
) STRICT, WITHOUT ROWID;

INSERT INTO entry_4 SELECT *, NULL FROM entry;
DROP TABLE entry;
ALTER TABLE entry_4 RENAME TO entry;
ALTER TABLE stated ADD COLUMN hash BLOB;
ALTER TABLE epoch ADD COLUMN hash BLOB;

CREATE INDEX entry_by_time ON entry (meter_id, ended_at);
CREATE INDEX entry_without_direction ON entry (meter_id, sequence) WHERE undirected > 0;
CREATE INDEX entry_of_the_clock ON entry (meter_id, sequence) WHERE kind = 'clock';

-- The end of each chain: how many rows it has, and the hash of the last. Here a tail that is cut off is missed.
CREATE TABLE chain (
    meter_id INTEGER NOT NULL REFERENCES meter (id),
    book     TEXT    NOT NULL CHECK (book IN ('epoch', 'entry', 'stated')),
    length   INTEGER NOT NULL CHECK (length > 0),
    hash     BLOB    NOT NULL,
    PRIMARY KEY (meter_id, book)
) STRICT, WITHOUT ROWID;

-- A row that has its hash is never edited; giving rows of an older version theirs is part of bringing it up to date.
DROP TRIGGER stated_is_never_edited;
DROP TRIGGER epoch_is_never_edited;
CREATE TRIGGER entry_is_never_edited BEFORE UPDATE ON entry WHEN OLD.hash IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: an entry is never edited'); END;
CREATE TRIGGER entry_is_never_deleted BEFORE DELETE ON entry
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: an entry is never deleted'); END;
CREATE TRIGGER stated_is_never_edited BEFORE UPDATE ON stated WHEN OLD.hash IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: an entry is never edited'); END;
CREATE TRIGGER epoch_is_never_edited BEFORE UPDATE ON epoch WHEN OLD.hash IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a calibration epoch is never edited: begin another'); END;
