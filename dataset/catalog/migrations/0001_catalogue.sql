-- The catalogue, version 1. Times are ISO 8601 in UTC. Rows of `event` are never changed or deleted.

CREATE TABLE image (
    id           INTEGER PRIMARY KEY,
    sha256       TEXT NOT NULL UNIQUE,
    pixel_sha256 TEXT NOT NULL,
    format       TEXT NOT NULL,
    width        INTEGER NOT NULL CHECK (width > 0),
    height       INTEGER NOT NULL CHECK (height > 0),
    byte_count   INTEGER NOT NULL CHECK (byte_count > 0),
    has_alpha    INTEGER NOT NULL,
    first_label  TEXT NOT NULL,              -- as found; `label` is as judged
    label        TEXT NOT NULL,
    status       TEXT NOT NULL DEFAULT 'undecided'
                 CHECK (status IN ('undecided', 'keep', 'reject')),
    reason       TEXT NOT NULL DEFAULT '',
    stars        INTEGER NOT NULL DEFAULT 0 CHECK (stars BETWEEN 0 AND 5),
    added_at     TEXT NOT NULL
) STRICT;
CREATE INDEX image_by_judgement ON image (status, label, id);
CREATE INDEX image_by_label ON image (label, id);
CREATE INDEX image_by_pixels ON image (pixel_sha256);

-- Where a picture was found: many rows to one picture.
CREATE TABLE origin (
    id          INTEGER PRIMARY KEY,
    image_id    INTEGER NOT NULL REFERENCES image (id),
    url         TEXT NOT NULL,
    page_url    TEXT NOT NULL,
    source      TEXT NOT NULL,
    query       TEXT NOT NULL,
    author      TEXT NOT NULL,
    licence     TEXT NOT NULL,
    licence_url TEXT NOT NULL,
    fetched_at  TEXT NOT NULL,
    UNIQUE (image_id, url, page_url, source, query)
) STRICT;
CREATE INDEX origin_by_source ON origin (source, image_id);
CREATE INDEX origin_by_licence ON origin (licence, image_id);
CREATE INDEX origin_by_url ON origin (url);

-- Every version of a picture's text, with where the text stood.
CREATE TABLE caption (
    id       INTEGER PRIMARY KEY,
    image_id INTEGER NOT NULL REFERENCES image (id),
    text     TEXT NOT NULL CHECK (text <> ''),
    origin   TEXT NOT NULL,
    added_at TEXT NOT NULL,
    UNIQUE (image_id, text, origin)
) STRICT;

-- Hashes carry algorithm and version in their name; values are hexadecimal text.
CREATE TABLE image_hash (
    image_id  INTEGER NOT NULL REFERENCES image (id),
    algorithm TEXT NOT NULL,
    value     TEXT NOT NULL,
    PRIMARY KEY (algorithm, image_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE quality (
    image_id INTEGER NOT NULL REFERENCES image (id),
    measure  TEXT NOT NULL,
    score    REAL NOT NULL,
    PRIMARY KEY (measure, image_id)
) STRICT, WITHOUT ROWID;

-- What was judged, by whom: append-only. The state of `image` is the replay of these.
CREATE TABLE event (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    batch         INTEGER NOT NULL,
    at            TEXT NOT NULL,
    who           TEXT NOT NULL,
    verb          TEXT NOT NULL,
    image_id      INTEGER NOT NULL REFERENCES image (id),
    field         TEXT NOT NULL CHECK (field IN ('status', 'label', 'stars')),
    before        ANY NOT NULL,
    after         ANY NOT NULL,
    reason_before TEXT NOT NULL,
    reason_after  TEXT NOT NULL,
    undoes        INTEGER
) STRICT;
CREATE INDEX event_by_image ON event (image_id, id);
CREATE INDEX event_by_batch ON event (batch);
CREATE INDEX event_by_undone ON event (undoes) WHERE undoes IS NOT NULL;
CREATE TRIGGER event_is_final BEFORE UPDATE ON event
BEGIN SELECT RAISE (ABORT, 'events are never changed'); END;
CREATE TRIGGER event_stays BEFORE DELETE ON event
BEGIN SELECT RAISE (ABORT, 'events are never deleted'); END;

-- Pairs that look alike (a < b), found at the largest radius offered.
CREATE TABLE edge (
    a             INTEGER NOT NULL REFERENCES image (id),
    b             INTEGER NOT NULL REFERENCES image (id),
    phash_bits    INTEGER NOT NULL,
    dhash_bits    INTEGER NOT NULL,
    colour_levels REAL NOT NULL,
    PRIMARY KEY (a, b),
    CHECK (a < b)
) STRICT, WITHOUT ROWID;

-- The ledger: one row per canonical address, every outcome with its reason.
CREATE TABLE address (
    url           TEXT PRIMARY KEY,
    state         TEXT NOT NULL
                  CHECK (state IN ('fetched', 'rejected', 'retry', 'failed', 'refused')),
    reason        TEXT NOT NULL,
    attempts      INTEGER NOT NULL,
    http_status   INTEGER NOT NULL,
    sha256        TEXT NOT NULL,
    final_url     TEXT NOT NULL,
    etag          TEXT NOT NULL,
    last_modified TEXT NOT NULL,
    next_try_at   TEXT NOT NULL,
    updated_at    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX address_by_state ON address (state, reason);

-- Small facts about the catalogue itself, such as what the stored edges were computed from.
CREATE TABLE fact (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
