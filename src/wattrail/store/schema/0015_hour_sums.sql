-- What the counted entries add up to that end in an hour of UTC, by epoch, with the one that its beginning cuts: so the
-- energy of a year by hour is read from one row an hour. Derived, as quarter_sum is; the hour of the last entry is open
-- and has no row.
CREATE TABLE hour_sum (
    meter_id       INTEGER NOT NULL,
    started_at     INTEGER NOT NULL,
    epoch          INTEGER NOT NULL,
    positive       INTEGER NOT NULL,
    negative       INTEGER NOT NULL,
    undirected     INTEGER NOT NULL,
    first_start    INTEGER NOT NULL,                           -- of its entries
    longest_us     INTEGER NOT NULL,
    cuts           INTEGER NOT NULL,                           -- how many its beginning cuts; the one is below
    cut_start      INTEGER,
    cut_end        INTEGER,
    cut_positive   INTEGER,
    cut_negative   INTEGER,
    cut_undirected INTEGER,
    PRIMARY KEY (meter_id, started_at, epoch),
    FOREIGN KEY (meter_id, epoch) REFERENCES epoch (meter_id, number)
) STRICT, WITHOUT ROWID;

INSERT INTO hour_sum
    SELECT meter_id, hour, epoch, SUM(positive), SUM(negative), SUM(undirected), MIN(started_at),
           MAX(ended_at - started_at), SUM(CASE WHEN started_at < hour THEN 1 ELSE 0 END),
           MAX(CASE WHEN started_at < hour THEN started_at END), MAX(CASE WHEN started_at < hour THEN ended_at END),
           MAX(CASE WHEN started_at < hour THEN positive END), MAX(CASE WHEN started_at < hour THEN negative END),
           MAX(CASE WHEN started_at < hour THEN undirected END)
    FROM (
        SELECT meter_id, started_at, ended_at, epoch, positive, negative, undirected,
               (ended_at - CASE WHEN started_at < ended_at THEN 1 ELSE 0 END) / 3600000000 * 3600000000 AS hour
        FROM entry
        WHERE kind = 'counted' AND ABS(ended_at - started_at - elapsed_us) <= 5000000
    ) AS counted
    GROUP BY 1, 2, 3;
DELETE FROM hour_sum WHERE EXISTS (
    SELECT 1 FROM entry
    WHERE entry.meter_id = hour_sum.meter_id
      AND entry.sequence = (SELECT MAX(sequence) FROM entry AS newest WHERE newest.meter_id = hour_sum.meter_id)
      AND (ended_at - CASE WHEN entry.started_at < ended_at THEN 1 ELSE 0 END) / 3600000000 * 3600000000
          = hour_sum.started_at
);
