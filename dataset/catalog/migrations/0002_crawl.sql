-- Version 2: the ledger keeps what was named but not yet asked for, and who named it.

ALTER TABLE origin ADD COLUMN author_url TEXT NOT NULL DEFAULT '';
ALTER TABLE origin ADD COLUMN attribution TEXT NOT NULL DEFAULT '';

ALTER TABLE address RENAME TO address_1;
DROP INDEX address_by_state;
CREATE TABLE address (
    id            INTEGER PRIMARY KEY,       -- in the order in which they were first named
    url           TEXT NOT NULL UNIQUE,
    host          TEXT NOT NULL,             -- with its port; '-' for what lies on this machine
    state         TEXT NOT NULL
                  CHECK (state IN ('new', 'fetched', 'rejected', 'retry', 'failed', 'refused')),
    reason        TEXT NOT NULL,
    message       TEXT NOT NULL,
    attempts      INTEGER NOT NULL,
    http_status   INTEGER NOT NULL,
    sha256        TEXT NOT NULL,
    final_url     TEXT NOT NULL,
    etag          TEXT NOT NULL,
    last_modified TEXT NOT NULL,
    next_try_at   TEXT NOT NULL,
    updated_at    TEXT NOT NULL
) STRICT;
INSERT INTO address (url, host, state, reason, message, attempts, http_status, sha256, final_url,
                     etag, last_modified, next_try_at, updated_at)
SELECT url,
       substr(substr(url, instr(url, '://') + 3), 1,
              instr(substr(url, instr(url, '://') + 3) || '/', '/') - 1),
       state, reason, '', attempts, http_status, sha256, final_url, etag, last_modified,
       next_try_at, updated_at
FROM address_1 ORDER BY updated_at, url;
DROP TABLE address_1;
CREATE INDEX address_by_state ON address (state, reason);
CREATE INDEX address_due ON address (host, id) WHERE state IN ('new', 'retry');

-- Who named an address that is not fetched yet, and what was said of it: many rows to one. Once
-- the picture is there, its origins tell the same.
CREATE TABLE candidate (
    id         INTEGER PRIMARY KEY,
    address_id INTEGER NOT NULL REFERENCES address (id),
    source     TEXT NOT NULL,
    page_url   TEXT NOT NULL,
    query      TEXT NOT NULL,
    facts      TEXT NOT NULL,                -- JSON: captions, label, author, licence, ...
    UNIQUE (address_id, source, page_url, query)
) STRICT;

-- Hosts that asked to be left alone for longer than a run waits.
CREATE TABLE host (
    name     TEXT PRIMARY KEY,
    awake_at TEXT NOT NULL,
    reason   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Every run with its resolved config and, once it has ended, its report (JSON).
CREATE TABLE crawl_run (
    id         INTEGER PRIMARY KEY,
    started_at TEXT NOT NULL,
    ended_at   TEXT NOT NULL,
    config     TEXT NOT NULL,
    report     TEXT NOT NULL
) STRICT;
