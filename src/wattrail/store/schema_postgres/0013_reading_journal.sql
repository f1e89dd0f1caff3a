-- Stays empty here: a server keeps each reading at once. See schema/0013_reading_journal.sql.

CREATE TABLE reading_journal (
    meter_id bigint PRIMARY KEY REFERENCES meter (id),
    number   bigint NOT NULL
);
