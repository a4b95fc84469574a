-- Lists by the last change.

-- +goose Up
CREATE INDEX records_by_change ON records (noun, changed_at, id);
CREATE INDEX records_by_agency_change ON records (noun, agency, changed_at, id) WHERE agency IS NOT NULL;

-- +goose Down
DROP INDEX records_by_agency_change;
DROP INDEX records_by_change;
