-- A manual entry that was wrong is reversed by another: its numbers with the other sign, and about is its number. Then an
-- account may be opened again; the ledger refuses a second opening that holds, inside the transaction that keeps it.
CREATE TABLE stated_with_reversals (
    meter_id   INTEGER NOT NULL,
    sequence   INTEGER NOT NULL CHECK (sequence > 0),
    kind       TEXT    NOT NULL CHECK (kind IN ('opening', 'adjusted', 'assigned', 'reversed')),
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    epoch      INTEGER NOT NULL,
    positive   INTEGER NOT NULL CHECK (CASE WHEN kind = 'reversed' THEN positive <= 0 ELSE positive >= 0 END),
    negative   INTEGER NOT NULL CHECK (CASE WHEN kind = 'reversed' THEN negative <= 0 ELSE negative >= 0 END),
    undirected INTEGER NOT NULL CHECK (positive + negative + undirected = 0),
    import_mwh INTEGER NOT NULL CHECK (CASE WHEN kind = 'reversed' THEN import_mwh <= 0 ELSE import_mwh >= 0 END),
    export_mwh INTEGER NOT NULL CHECK (CASE WHEN kind = 'reversed' THEN export_mwh <= 0 ELSE export_mwh >= 0 END),
    about      INTEGER NOT NULL,                              -- the entry whose counts get a direction, or 0
    who        TEXT    NOT NULL,
    stated_at  INTEGER NOT NULL,
    note       TEXT    NOT NULL CHECK (length(note) > 0),     -- the reason
    hash       BLOB,
    PRIMARY KEY (meter_id, sequence),
    FOREIGN KEY (meter_id, epoch) REFERENCES epoch (meter_id, number)
) STRICT, WITHOUT ROWID;
INSERT INTO stated_with_reversals SELECT * FROM stated;
DROP TABLE stated;
ALTER TABLE stated_with_reversals RENAME TO stated;

CREATE UNIQUE INDEX an_entry_is_reversed_once ON stated (meter_id, about) WHERE kind = 'reversed';

CREATE TRIGGER stated_is_never_edited BEFORE UPDATE ON stated WHEN OLD.hash IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: an entry is never edited'); END;
CREATE TRIGGER stated_is_never_deleted BEFORE DELETE ON stated
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: an entry is never deleted'); END;
