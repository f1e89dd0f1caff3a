-- The power register at the end of an entry: the direction of a gap after it depends on it. NULL: not kept.
ALTER TABLE entry ADD COLUMN watt INTEGER;

-- Entries that a person stated. They are numbered by themselves, so that whoever states one while a gateway runs
-- never takes a number that the gateway is about to use. Energy is exact milliwatt-hours, as stated.
CREATE TABLE stated (
    meter_id   INTEGER NOT NULL,
    sequence   INTEGER NOT NULL CHECK (sequence > 0),
    kind       TEXT    NOT NULL CHECK (kind IN ('opening', 'adjusted', 'assigned')),
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    epoch      INTEGER NOT NULL,
    positive   INTEGER NOT NULL CHECK (positive >= 0),
    negative   INTEGER NOT NULL CHECK (negative >= 0),
    undirected INTEGER NOT NULL CHECK (positive + negative + undirected = 0),
    import_mwh INTEGER NOT NULL CHECK (import_mwh >= 0),
    export_mwh INTEGER NOT NULL CHECK (export_mwh >= 0),
    about      INTEGER NOT NULL,                              -- the entry whose counts get a direction, or 0
    who        TEXT    NOT NULL,
    stated_at  INTEGER NOT NULL,
    note       TEXT    NOT NULL CHECK (length(note) > 0),     -- the reason
    PRIMARY KEY (meter_id, sequence),
    FOREIGN KEY (meter_id, epoch) REFERENCES epoch (meter_id, number)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX an_account_opens_once ON stated (meter_id) WHERE kind = 'opening';

-- Whoever states something asks for these while the gateway waits.
CREATE INDEX entry_without_direction ON entry (meter_id, sequence) WHERE undirected > 0;

CREATE TRIGGER stated_is_never_edited BEFORE UPDATE ON stated
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: an entry is never edited'); END;
CREATE TRIGGER stated_is_never_deleted BEFORE DELETE ON stated
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: an entry is never deleted'); END;
