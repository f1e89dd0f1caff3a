-- Calibrations that a person has kept: the newest of a name holds. Evidence is JSON: counts, reference, doubts.

CREATE TABLE calibration (
    meter                 TEXT    NOT NULL CHECK (length(meter) BETWEEN 1 AND 64),
    number                INTEGER NOT NULL CHECK (number > 0),
    simulated             INTEGER NOT NULL CHECK (simulated IN (0, 1)),
    kept_at               INTEGER NOT NULL,
    kept_by               TEXT    NOT NULL,
    origin                TEXT    NOT NULL CHECK (origin IN ('measured', 'factory', 'settings', 'restored')),
    micro_counts_per_volt INTEGER NOT NULL CHECK (micro_counts_per_volt > 0),
    micro_counts_per_amp  INTEGER NOT NULL CHECK (micro_counts_per_amp > 0),
    micro_counts_per_watt INTEGER NOT NULL CHECK (micro_counts_per_watt > 0),
    inverted              INTEGER NOT NULL CHECK (inverted IN (0, 1)),
    turns                 INTEGER NOT NULL CHECK (turns > 0),
    note                  TEXT    NOT NULL,
    evidence              TEXT    NOT NULL CHECK (json_valid(evidence)),
    PRIMARY KEY (meter, number)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER calibration_is_never_edited BEFORE UPDATE ON calibration
BEGIN SELECT RAISE(ABORT, 'a calibration is never edited: keep another'); END;
CREATE TRIGGER calibration_is_never_deleted BEFORE DELETE ON calibration
BEGIN SELECT RAISE(ABORT, 'a calibration is never deleted: put an earlier one back'); END;
