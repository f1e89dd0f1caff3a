-- Years of readings: statistics of quantities by time, and sums of counts, so that neither needs every row. All of it is
-- derived, and none of it holds energy.

-- Power, voltage and frequency over minutes and quarter hours of UTC, and over hours and days of the site's zone. A row is
-- written when its time is over; minutes and quarter hours are forgotten in turn, see docs/store.md.
CREATE TABLE rollup (
    meter_id         INTEGER NOT NULL REFERENCES meter (id),
    width_s          INTEGER NOT NULL CHECK (width_s IN (60, 900, 3600, 86400)),
    started_at       INTEGER NOT NULL,
    milliwatts_count INTEGER NOT NULL,
    milliwatts_min   INTEGER,                                  -- NULL: no reading gave this quantity
    milliwatts_sum   INTEGER,
    milliwatts_max   INTEGER,
    millivolts_count INTEGER NOT NULL,
    millivolts_min   INTEGER,
    millivolts_sum   INTEGER,
    millivolts_max   INTEGER,
    millihertz_count INTEGER NOT NULL,
    millihertz_min   INTEGER,
    millihertz_sum   INTEGER,
    millihertz_max   INTEGER,
    PRIMARY KEY (meter_id, width_s, started_at)
) STRICT, WITHOUT ROWID;

-- How far the readings of a meter are in its rollups: all up to reading_id. Later ones lie in the minute that is open.
-- zone is that of its hours and days, empty for the machine's; NULL: readings of an older version wait.
CREATE TABLE rollup_state (
    meter_id    INTEGER PRIMARY KEY REFERENCES meter (id),
    reading_id  INTEGER NOT NULL,
    open_minute INTEGER,
    zone        TEXT
) STRICT;
INSERT INTO rollup_state SELECT id, 0, NULL, NULL FROM meter;

-- What the counted entries add up to that end in a quarter hour of UTC, by epoch. The quarter hour of the last entry is
-- open and has no row.
CREATE TABLE quarter_sum (
    meter_id    INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    positive    INTEGER NOT NULL,
    negative    INTEGER NOT NULL,
    undirected  INTEGER NOT NULL,
    first_start INTEGER NOT NULL,                              -- of its entries
    longest_us  INTEGER NOT NULL,
    PRIMARY KEY (meter_id, started_at, epoch),
    FOREIGN KEY (meter_id, epoch) REFERENCES epoch (meter_id, number)
) STRICT, WITHOUT ROWID;

-- All other entries are few. An entry that ends on a boundary belongs to the time before it, unless it is an instant.
CREATE INDEX entry_without_shape ON entry (meter_id, ended_at)
    WHERE kind <> 'counted' OR ABS(ended_at - started_at - elapsed_us) > 5000000;

INSERT INTO quarter_sum
    SELECT meter_id, (ended_at - CASE WHEN started_at < ended_at THEN 1 ELSE 0 END) / 900000000 * 900000000, epoch,
           SUM(positive), SUM(negative), SUM(undirected), MIN(started_at), MAX(ended_at - started_at)
    FROM entry
    WHERE kind = 'counted' AND ABS(ended_at - started_at - elapsed_us) <= 5000000
    GROUP BY 1, 2, 3;
DELETE FROM quarter_sum WHERE EXISTS (
    SELECT 1 FROM entry
    WHERE entry.meter_id = quarter_sum.meter_id
      AND entry.sequence = (SELECT MAX(sequence) FROM entry AS newest WHERE newest.meter_id = quarter_sum.meter_id)
      AND (ended_at - CASE WHEN entry.started_at < ended_at THEN 1 ELSE 0 END) / 900000000 * 900000000
          = quarter_sum.started_at
);
