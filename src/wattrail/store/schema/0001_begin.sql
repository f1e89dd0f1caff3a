-- Times are integer microseconds since 1970 in UTC. Energy is never stored, only counts: see the ledger.

CREATE TABLE meter (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
    url        TEXT    NOT NULL,                              -- without credentials
    kind       TEXT    NOT NULL CHECK (kind IN ('meter', 'twin', 'replay')),
    simulated  INTEGER NOT NULL CHECK (simulated IN (0, 1)),
    created_at INTEGER NOT NULL
) STRICT;

-- One calibration of one meter; constants in millionths, so that they are exact.
CREATE TABLE epoch (
    meter_id              INTEGER NOT NULL REFERENCES meter (id),
    number                INTEGER NOT NULL CHECK (number > 0),
    micro_counts_per_volt INTEGER NOT NULL CHECK (micro_counts_per_volt > 0),
    micro_counts_per_amp  INTEGER NOT NULL CHECK (micro_counts_per_amp > 0),
    micro_counts_per_watt INTEGER NOT NULL CHECK (micro_counts_per_watt > 0),
    inverted              INTEGER NOT NULL CHECK (inverted IN (0, 1)),
    began_at              INTEGER NOT NULL,
    evidence              TEXT    NOT NULL,
    PRIMARY KEY (meter_id, number)
) STRICT, WITHOUT ROWID;

-- The ledger, verbatim. reading_id is the last reading an entry accounts for.
CREATE TABLE entry (
    meter_id         INTEGER NOT NULL,
    sequence         INTEGER NOT NULL CHECK (sequence > 0),
    kind             TEXT    NOT NULL CHECK (kind IN ('start', 'counted', 'restart', 'gap', 'epoch')),
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
    PRIMARY KEY (meter_id, sequence),
    FOREIGN KEY (meter_id, epoch) REFERENCES epoch (meter_id, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX entry_by_time ON entry (meter_id, ended_at);

-- Raw readings: for charts, and to count on after a stop without a goodbye. The newest is never deleted: ids only grow.
CREATE TABLE reading (
    id                  INTEGER PRIMARY KEY,                  -- in the order of arrival, over all meters
    meter_id            INTEGER NOT NULL REFERENCES meter (id),
    at                  INTEGER NOT NULL,
    elapsed_us          INTEGER,                              -- NULL: no monotonic clock spans the two
    energy_count        INTEGER NOT NULL,
    watt_count          INTEGER NOT NULL,
    status              INTEGER NOT NULL,
    mode                INTEGER NOT NULL,
    restarted           INTEGER NOT NULL,
    algebraic           INTEGER NOT NULL,
    last_pulse_negative INTEGER NOT NULL,
    millivolts          INTEGER NOT NULL,
    microamps           INTEGER NOT NULL,
    milliwatts          INTEGER NOT NULL,
    millihertz          INTEGER,
    power_factor_ppm    INTEGER
) STRICT;

CREATE INDEX reading_by_time ON reading (meter_id, at, milliwatts);

CREATE TRIGGER entry_is_never_edited BEFORE UPDATE ON entry
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: an entry is never edited'); END;
CREATE TRIGGER entry_is_never_deleted BEFORE DELETE ON entry
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: an entry is never deleted'); END;
CREATE TRIGGER epoch_is_never_edited BEFORE UPDATE ON epoch
BEGIN SELECT RAISE(ABORT, 'a calibration epoch is never edited: begin another'); END;
CREATE TRIGGER epoch_is_never_deleted BEFORE DELETE ON epoch
BEGIN SELECT RAISE(ABORT, 'a calibration epoch is never deleted'); END;
CREATE TRIGGER reading_is_never_edited BEFORE UPDATE ON reading
BEGIN SELECT RAISE(ABORT, 'a reading is never edited'); END;
