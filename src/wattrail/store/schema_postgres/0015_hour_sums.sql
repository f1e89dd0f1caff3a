-- Sums of counts by hours, with the entry that the beginning of the hour cuts: see schema/0015_hour_sums.sql.

CREATE TABLE hour_sum (
    meter_id       bigint NOT NULL,
    started_at     bigint NOT NULL,
    epoch          bigint NOT NULL,
    positive       bigint NOT NULL,
    negative       bigint NOT NULL,
    undirected     bigint NOT NULL,
    first_start    bigint NOT NULL,
    longest_us     bigint NOT NULL,
    cuts           bigint NOT NULL,
    cut_start      bigint,
    cut_end        bigint,
    cut_positive   bigint,
    cut_negative   bigint,
    cut_undirected bigint,
    PRIMARY KEY (meter_id, started_at, epoch),
    FOREIGN KEY (meter_id, epoch) REFERENCES epoch (meter_id, number)
);

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
        WHERE kind = 'counted' AND abs(ended_at - started_at - elapsed_us) <= 5000000
    ) AS counted
    GROUP BY 1, 2, 3;
DELETE FROM hour_sum WHERE EXISTS (
    SELECT 1 FROM entry
    WHERE entry.meter_id = hour_sum.meter_id
      AND entry.sequence = (SELECT MAX(sequence) FROM entry AS newest WHERE newest.meter_id = hour_sum.meter_id)
      AND (ended_at - CASE WHEN entry.started_at < ended_at THEN 1 ELSE 0 END) / 3600000000 * 3600000000
          = hour_sum.started_at
);
