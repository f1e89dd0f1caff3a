-- Energy of the time before the ledger began, as other programs counted it. Never part of the ledger: it can be removed.

CREATE TABLE imported_hours (
    meter_id   INTEGER NOT NULL REFERENCES meter (id),
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL CHECK (ended_at > started_at),   -- an hour or a day later; longer where the source had a hole
    import_mwh INTEGER CHECK (import_mwh >= 0),                  -- NULL: the source does not say it
    export_mwh INTEGER CHECK (export_mwh >= 0),
    origin     TEXT    NOT NULL CHECK (length(origin) BETWEEN 1 AND 200),
    CHECK (import_mwh IS NOT NULL OR export_mwh IS NOT NULL),
    PRIMARY KEY (meter_id, started_at)
) STRICT, WITHOUT ROWID;
