-- Readings wait beside the file until the entry that accounts for them: how far each meter's are in the table reading.

CREATE TABLE reading_journal (
    meter_id INTEGER PRIMARY KEY REFERENCES meter (id),
    number   INTEGER NOT NULL                                   -- of the last line that was taken over
) STRICT;
