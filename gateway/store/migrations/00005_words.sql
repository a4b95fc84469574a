-- What a directory is searched for: a text anywhere in its lines, or a tag, a line of its own. NULL for what is not searched.

-- +goose Up
ALTER TABLE records ADD COLUMN words TEXT;

-- +goose Down
ALTER TABLE records DROP COLUMN words;
