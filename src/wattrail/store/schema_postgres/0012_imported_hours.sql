-- Energy of the time before the ledger began: see schema/0012_imported_hours.sql.

CREATE TABLE imported_hours (
    meter_id   bigint NOT NULL REFERENCES meter (id),
    started_at bigint NOT NULL,
    ended_at   bigint NOT NULL CHECK (ended_at > started_at),
    import_mwh bigint CHECK (import_mwh >= 0),
    export_mwh bigint CHECK (export_mwh >= 0),
    origin     text   COLLATE "C" NOT NULL CHECK (length(origin) BETWEEN 1 AND 200),
    CHECK (import_mwh IS NOT NULL OR export_mwh IS NOT NULL),
    PRIMARY KEY (meter_id, started_at)
);
