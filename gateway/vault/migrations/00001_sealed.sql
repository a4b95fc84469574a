-- Sealed payloads. What is stored under (commitment, recipient) never changes. A vault of before there were migrations has
-- the table already, in the same form.

-- +goose Up
CREATE TABLE IF NOT EXISTS sealed (
    commitment TEXT NOT NULL,
    recipient  TEXT NOT NULL,
    kind       TEXT NOT NULL,
    case_id    TEXT NOT NULL,
    sealed     TEXT NOT NULL,
    created    TEXT NOT NULL, -- RFC 3339, UTC
    PRIMARY KEY (commitment, recipient)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sealed_by_case ON sealed (case_id);

-- +goose Down
DROP TABLE sealed;
