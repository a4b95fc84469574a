-- Chunks of files, sealed to the consumer of the use they belong to. What is stored under (stream, number) never changes.

-- +goose Up
CREATE TABLE chunk (
    stream  TEXT NOT NULL,
    number  INTEGER NOT NULL,
    use_id  TEXT NOT NULL,
    sealed  TEXT NOT NULL,
    PRIMARY KEY (stream, number)
) WITHOUT ROWID;
CREATE INDEX chunk_by_use ON chunk (use_id);

-- +goose Down
DROP TABLE chunk;
