-- What the ledger says, folded into rows. All of it can be dropped and built again from the blocks.
-- What a transaction costs is the pages it touches: tables whose key is the ledger's order are kept in that order (WITHOUT
-- ROWID), not once in a heap and once in an index; a revision is written when a record is superseded, the present state is
-- in records alone; the index of transactions holds the beginning of an id.
-- Times are milliseconds since 1970-01-01 UTC. NULL in a column of an index means: not indexed.

-- +goose Up
-- The tables are disposable: a new form of them drops the old.
DROP TABLE IF EXISTS changes;
DROP TABLE IF EXISTS revisions;
DROP TABLE IF EXISTS records;
DROP TABLE IF EXISTS transactions;
DROP TABLE IF EXISTS blocks;
DROP TABLE IF EXISTS checkpoint;
DROP TABLE IF EXISTS meta;

CREATE TABLE checkpoint (
    one    INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    fold   TEXT    NOT NULL, -- what the rows were folded with
    number BIGINT,           -- NULL while there are none, as hash
    hash   TEXT
);

CREATE TABLE blocks (
    number       BIGINT  NOT NULL PRIMARY KEY,
    hash         TEXT    NOT NULL,
    previous     TEXT    NOT NULL,
    data_hash    TEXT    NOT NULL,
    transactions INTEGER NOT NULL,
    valid        INTEGER NOT NULL,
    at           BIGINT  NOT NULL -- the latest claim among its transactions; 0 if there is none
);

CREATE TABLE transactions (
    block     BIGINT  NOT NULL,
    position  INTEGER NOT NULL,
    id        TEXT    NOT NULL, -- not unique: a repeated id is in a block too, as invalid
    kind      TEXT    NOT NULL,
    code      TEXT    NOT NULL,
    at        BIGINT  NOT NULL,
    msp       TEXT    NOT NULL,
    agency    TEXT    NOT NULL,
    role      TEXT    NOT NULL,
    chaincode TEXT    NOT NULL,
    function  TEXT    NOT NULL,
    commands  INTEGER NOT NULL,
    endorsers TEXT    NOT NULL, -- MSP ids, comma-separated, in the order of the transaction
    writes    INTEGER NOT NULL, -- over all namespaces
    malformed TEXT    NOT NULL,
    PRIMARY KEY (block, position)
) WITHOUT ROWID;
CREATE INDEX transactions_by_id ON transactions (substr(id, 1, 12));

CREATE TABLE records (
    contract   TEXT    NOT NULL,
    noun       TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    status     TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    subject    TEXT,
    agency     TEXT,
    peer       TEXT,
    case_id    TEXT,
    kind       TEXT,
    body       TEXT    NOT NULL, -- JSON as it is on the ledger
    block      BIGINT  NOT NULL, -- of the last change, as are the next three
    position   INTEGER NOT NULL,
    tx_id      TEXT    NOT NULL,
    at         BIGINT  NOT NULL,
    created_at BIGINT  NOT NULL,
    changed_at BIGINT  NOT NULL,
    PRIMARY KEY (noun, id, contract)
);
CREATE INDEX records_by_age ON records (noun, created_at, id);
CREATE INDEX records_by_subject ON records (noun, subject, created_at, id) WHERE subject IS NOT NULL;
CREATE INDEX records_by_agency ON records (noun, agency, created_at, id) WHERE agency IS NOT NULL;
CREATE INDEX records_by_agency_status ON records (noun, agency, status, created_at, id) WHERE agency IS NOT NULL;
CREATE INDEX records_by_peer ON records (noun, peer, created_at, id) WHERE peer IS NOT NULL;
CREATE INDEX records_by_case ON records (noun, case_id, created_at, id) WHERE case_id IS NOT NULL;
CREATE INDEX records_by_kind ON records (noun, kind, created_at, id) WHERE kind IS NOT NULL;

-- States of records that are not the present one, and deletions.
CREATE TABLE revisions (
    noun     TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    block    BIGINT  NOT NULL,
    position INTEGER NOT NULL, -- of the transaction in the block
    contract TEXT    NOT NULL,
    tx_id    TEXT    NOT NULL,
    at       BIGINT  NOT NULL,
    version  INTEGER NOT NULL,
    status   TEXT    NOT NULL,
    deleted  INTEGER NOT NULL,
    body     TEXT    NOT NULL, -- empty if deleted
    PRIMARY KEY (noun, id, block, position, contract)
);

CREATE TABLE changes (
    block    BIGINT  NOT NULL,
    position INTEGER NOT NULL, -- of the transaction in the block
    n        INTEGER NOT NULL, -- in the transaction, from 0
    tx_id    TEXT    NOT NULL,
    at       BIGINT  NOT NULL,
    contract TEXT    NOT NULL, -- whose event it is
    type     TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    subject  TEXT,
    agency   TEXT,
    case_id  TEXT,
    PRIMARY KEY (block, position, n)
) WITHOUT ROWID;
CREATE INDEX changes_by_subject ON changes (subject, block, position, n) WHERE subject IS NOT NULL;
CREATE INDEX changes_by_agency ON changes (agency, block, position, n) WHERE agency IS NOT NULL;
CREATE INDEX changes_by_case ON changes (case_id, block, position, n) WHERE case_id IS NOT NULL;
CREATE INDEX changes_by_type ON changes (type, block, position, n);

-- +goose Down
DROP TABLE changes;
DROP TABLE revisions;
DROP TABLE records;
DROP TABLE transactions;
DROP TABLE blocks;
DROP TABLE checkpoint;
