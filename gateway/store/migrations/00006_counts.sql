-- What happened to uses, counted: statistics of any span of days are read without reading the uses. And uses by status, for
-- what should have happened to them and did not.

-- +goose Up
CREATE TABLE counts (
    day      TEXT   NOT NULL, -- YYYY-MM-DD, Beijing time
    dataset  TEXT   NOT NULL,
    provider TEXT   NOT NULL,
    consumer TEXT   NOT NULL,
    purpose  TEXT   NOT NULL,
    what     TEXT   NOT NULL,
    n        BIGINT NOT NULL,
    PRIMARY KEY (day, dataset, provider, consumer, purpose, what)
) WITHOUT ROWID;
DROP INDEX records_by_number;
CREATE INDEX records_by_number ON records (noun, subject, number, peer, kind, case_id, created_at) WHERE number IS NOT NULL;
CREATE INDEX records_by_status ON records (noun, status, created_at, id) WHERE number IS NOT NULL;

-- +goose Down
DROP INDEX records_by_status;
DROP INDEX records_by_number;
CREATE INDEX records_by_number ON records (noun, subject, number, peer, kind, created_at) WHERE number IS NOT NULL;
DROP TABLE counts;
