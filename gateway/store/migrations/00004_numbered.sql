-- Lists by the number in a subject's series. The index has what such a list is filtered by, so that nothing else of a
-- hundred thousand records is read to find the few that fit.

-- +goose Up
ALTER TABLE records ADD COLUMN number BIGINT;
CREATE INDEX records_by_number ON records (noun, subject, number, peer, kind, created_at) WHERE number IS NOT NULL;

-- +goose Down
DROP INDEX records_by_number;
ALTER TABLE records DROP COLUMN number;
