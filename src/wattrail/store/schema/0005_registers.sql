-- A meter may have registers of its own (network meters): what a count is worth and how a register falls stands with the
-- epoch, as JSON; older epochs follow from their constants. Rows written before have NULL in the new columns, and keep
-- their hashes.

CREATE TABLE epoch_5 (
    meter_id              INTEGER NOT NULL REFERENCES meter (id),
    number                INTEGER NOT NULL CHECK (number > 0),
    micro_counts_per_volt INTEGER CHECK (micro_counts_per_volt > 0),   -- NULL: the meter gives quantities, not counts
    micro_counts_per_amp  INTEGER CHECK (micro_counts_per_amp > 0),
    micro_counts_per_watt INTEGER CHECK (micro_counts_per_watt > 0),
    inverted              INTEGER NOT NULL CHECK (inverted IN (0, 1)),
    began_at              INTEGER NOT NULL,
    evidence              TEXT    NOT NULL,
    hash                  BLOB,
    registers             TEXT    CHECK (registers IS NULL OR json_valid(registers)),
    CHECK (registers IS NOT NULL OR micro_counts_per_watt IS NOT NULL),
    PRIMARY KEY (meter_id, number)
) STRICT, WITHOUT ROWID;

INSERT INTO epoch_5
    SELECT meter_id, number, micro_counts_per_volt, micro_counts_per_amp, micro_counts_per_watt, inverted, began_at,
           evidence, hash, NULL
    FROM epoch;
DROP TABLE epoch;
ALTER TABLE epoch_5 RENAME TO epoch;

CREATE TRIGGER epoch_is_never_edited BEFORE UPDATE ON epoch WHEN OLD.hash IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a calibration epoch is never edited: begin another'); END;
CREATE TRIGGER epoch_is_never_deleted BEFORE DELETE ON epoch
BEGIN SELECT RAISE(ABORT, 'a calibration epoch is never deleted'); END;

-- The second register, former values to which a register may jump back, and what the device said of its restarts.
ALTER TABLE entry ADD COLUMN export_count INTEGER;
ALTER TABLE entry ADD COLUMN mark INTEGER;
ALTER TABLE entry ADD COLUMN export_mark INTEGER;
ALTER TABLE entry ADD COLUMN algebraic INTEGER CHECK (algebraic IN (0, 1));
ALTER TABLE entry ADD COLUMN boot TEXT CHECK (boot IS NULL OR json_valid(boot));

-- Not every meter gives every quantity.
CREATE TABLE reading_5 (
    id                  INTEGER PRIMARY KEY,                  -- in the order of arrival, over all meters
    meter_id            INTEGER NOT NULL REFERENCES meter (id),
    at                  INTEGER NOT NULL,
    elapsed_us          INTEGER,                              -- NULL: no monotonic clock spans the two
    energy_count        INTEGER NOT NULL,
    watt_count          INTEGER,
    status              INTEGER NOT NULL,
    mode                INTEGER NOT NULL,
    restarted           INTEGER NOT NULL,
    algebraic           INTEGER NOT NULL,
    last_pulse_negative INTEGER NOT NULL,
    millivolts          INTEGER,
    microamps           INTEGER,
    milliwatts          INTEGER,
    millihertz          INTEGER,
    power_factor_ppm    INTEGER,
    export_count        INTEGER,
    boot                TEXT    CHECK (boot IS NULL OR json_valid(boot))
) STRICT;

INSERT INTO reading_5 SELECT *, NULL, NULL FROM reading;
DROP TABLE reading;
ALTER TABLE reading_5 RENAME TO reading;

CREATE INDEX reading_by_time ON reading (meter_id, at, milliwatts);
CREATE TRIGGER reading_is_never_edited BEFORE UPDATE ON reading
BEGIN SELECT RAISE(ABORT, 'a reading is never edited'); END;
