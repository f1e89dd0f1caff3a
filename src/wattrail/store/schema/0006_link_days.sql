-- How well a network meter was connected, a row for each local day. Not part of the books: a row grows during its day.

CREATE TABLE link_day (
    meter_id          INTEGER NOT NULL REFERENCES meter (id),
    day               TEXT    NOT NULL CHECK (day GLOB '????-??-??'),
    readings          INTEGER NOT NULL,
    signal_min        REAL,                                   -- dBm; NULL: the meter does not say it
    signal_sum        REAL    NOT NULL,
    signals           INTEGER NOT NULL,
    dropouts          INTEGER NOT NULL,
    broker_dropouts   INTEGER NOT NULL,
    reconnects        INTEGER NOT NULL,
    restarts          INTEGER NOT NULL,
    power_cuts        INTEGER NOT NULL,
    longest_silence_s REAL    NOT NULL,
    PRIMARY KEY (meter_id, day)
) STRICT, WITHOUT ROWID;
