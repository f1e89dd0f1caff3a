-- Years of readings: see schema/0010_rollups.sql, which says what each column holds.

CREATE TABLE rollup (
    meter_id         bigint NOT NULL REFERENCES meter (id),
    width_s          bigint NOT NULL CHECK (width_s IN (60, 900, 3600, 86400)),
    started_at       bigint NOT NULL,
    milliwatts_count bigint NOT NULL,
    milliwatts_min   bigint,
    milliwatts_sum   bigint,
    milliwatts_max   bigint,
    millivolts_count bigint NOT NULL,
    millivolts_min   bigint,
    millivolts_sum   bigint,
    millivolts_max   bigint,
    millihertz_count bigint NOT NULL,
    millihertz_min   bigint,
    millihertz_sum   bigint,
    millihertz_max   bigint,
    PRIMARY KEY (meter_id, width_s, started_at)
);

CREATE TABLE rollup_state (
    meter_id    bigint PRIMARY KEY REFERENCES meter (id),
    reading_id  bigint NOT NULL,
    open_minute bigint,
    zone        text
);
INSERT INTO rollup_state SELECT id, 0, NULL, NULL FROM meter;

CREATE TABLE quarter_sum (
    meter_id    bigint NOT NULL,
    started_at  bigint NOT NULL,
    epoch       bigint NOT NULL,
    positive    bigint NOT NULL,
    negative    bigint NOT NULL,
    undirected  bigint NOT NULL,
    first_start bigint NOT NULL,
    longest_us  bigint NOT NULL,
    PRIMARY KEY (meter_id, started_at, epoch),
    FOREIGN KEY (meter_id, epoch) REFERENCES epoch (meter_id, number)
);

CREATE INDEX entry_without_shape ON entry (meter_id, ended_at)
    WHERE kind <> 'counted' OR abs(ended_at - started_at - elapsed_us) > 5000000;

INSERT INTO quarter_sum
    SELECT meter_id, (ended_at - CASE WHEN started_at < ended_at THEN 1 ELSE 0 END) / 900000000 * 900000000, epoch,
           SUM(positive), SUM(negative), SUM(undirected), MIN(started_at), MAX(ended_at - started_at)
    FROM entry
    WHERE kind = 'counted' AND abs(ended_at - started_at - elapsed_us) <= 5000000
    GROUP BY 1, 2, 3;
DELETE FROM quarter_sum WHERE EXISTS (
    SELECT 1 FROM entry
    WHERE entry.meter_id = quarter_sum.meter_id
      AND entry.sequence = (SELECT MAX(sequence) FROM entry AS newest WHERE newest.meter_id = quarter_sum.meter_id)
      AND (ended_at - CASE WHEN entry.started_at < ended_at THEN 1 ELSE 0 END) / 900000000 * 900000000
          = quarter_sum.started_at
);
