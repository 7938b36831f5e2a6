-- Version 3: pictures are compared by fingerprints; a pair keeps every witness and its reason.

CREATE TABLE fingerprint (
    image_id INTEGER PRIMARY KEY REFERENCES image (id),
    version  TEXT NOT NULL,
    value    BLOB NOT NULL,
    joined   TEXT NOT NULL                   -- the rule under which its pairs are stored, or ''
) STRICT;
CREATE INDEX fingerprint_by_rule ON fingerprint (version, joined);

DROP TABLE edge;                             -- found again from the fingerprints
CREATE TABLE edge (
    a             INTEGER NOT NULL REFERENCES image (id),
    b             INTEGER NOT NULL REFERENCES image (id),
    phash_bits    INTEGER NOT NULL,
    dhash_bits    INTEGER NOT NULL,
    fine_bits     INTEGER NOT NULL,
    colour_levels REAL NOT NULL,
    score         REAL NOT NULL,
    reason        TEXT NOT NULL,
    PRIMARY KEY (a, b),
    CHECK (a < b)
) STRICT, WITHOUT ROWID;
CREATE INDEX edge_by_b ON edge (b, a);
DELETE FROM fact WHERE name = 'edges';
