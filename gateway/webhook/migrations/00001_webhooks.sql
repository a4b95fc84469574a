-- Webhooks and what could not be delivered. Nobody could build this again: it is durable.
-- Times are milliseconds since 1970-01-01 UTC; 0 is none. A place in the feed is (block, position, n).

-- +goose Up
CREATE TABLE hooks (
    id        TEXT   NOT NULL PRIMARY KEY,
    owner     TEXT   NOT NULL, -- who may manage it: role, agency and client
    viewer    TEXT   NOT NULL, -- JSON: what its owner may see
    url       TEXT   NOT NULL,
    filter    TEXT   NOT NULL, -- JSON
    state     TEXT   NOT NULL,
    version   BIGINT NOT NULL, -- counts what its owner changed: whoever delivers begins anew
    created   BIGINT NOT NULL,
    block     BIGINT NOT NULL, -- everything up to here is delivered, dead, or not for it
    position  BIGINT NOT NULL,
    n         BIGINT NOT NULL,
    delivered BIGINT NOT NULL, -- how many were acknowledged
    succeeded BIGINT NOT NULL, -- when the last one was
    attempts  BIGINT NOT NULL, -- of the event after the cursor
    since     BIGINT NOT NULL, -- the first of them
    next      BIGINT NOT NULL, -- no attempt before this
    failure   TEXT   NOT NULL  -- class of the last failure; empty if the last attempt succeeded
);
CREATE INDEX hooks_by_owner ON hooks (owner, created, id);

CREATE TABLE dead (
    hook     TEXT   NOT NULL,
    block    BIGINT NOT NULL,
    position BIGINT NOT NULL,
    n        BIGINT NOT NULL,
    event    TEXT   NOT NULL, -- JSON, as it is sent
    attempts BIGINT NOT NULL,
    failure  TEXT   NOT NULL,
    at       BIGINT NOT NULL, -- when it was given up
    replay   BIGINT NOT NULL, -- 1: to be sent once more
    PRIMARY KEY (hook, block, position, n)
);
CREATE INDEX dead_to_replay ON dead (hook, block, position, n) WHERE replay = 1;

-- What owners have asked for, by their idempotency keys: asked again, it is not done again.
CREATE TABLE done (
    owner  TEXT   NOT NULL,
    key    TEXT   NOT NULL,
    digest TEXT   NOT NULL, -- of the request
    at     BIGINT NOT NULL,
    PRIMARY KEY (owner, key)
);
CREATE INDEX done_by_age ON done (at);

-- +goose Down
DROP TABLE done;
DROP TABLE dead;
DROP TABLE hooks;
