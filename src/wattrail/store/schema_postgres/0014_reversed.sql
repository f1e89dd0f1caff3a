-- A manual entry that was wrong is reversed by another: see schema/0014_reversed.sql.

ALTER TABLE stated DROP CONSTRAINT stated_kind_check;
ALTER TABLE stated DROP CONSTRAINT stated_positive_check;
ALTER TABLE stated DROP CONSTRAINT stated_negative_check;
ALTER TABLE stated DROP CONSTRAINT stated_import_mwh_check;
ALTER TABLE stated DROP CONSTRAINT stated_export_mwh_check;
ALTER TABLE stated
    ADD CONSTRAINT stated_kind_check CHECK (kind IN ('opening', 'adjusted', 'assigned', 'reversed')),
    ADD CONSTRAINT stated_sign_check CHECK (
        CASE WHEN kind = 'reversed'
        THEN positive <= 0 AND negative <= 0 AND import_mwh <= 0 AND export_mwh <= 0
        ELSE positive >= 0 AND negative >= 0 AND import_mwh >= 0 AND export_mwh >= 0 END
    );
DROP INDEX an_account_opens_once;
CREATE UNIQUE INDEX an_entry_is_reversed_once ON stated (meter_id, about) WHERE kind = 'reversed';
