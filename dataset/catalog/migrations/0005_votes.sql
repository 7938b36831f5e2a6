-- Version 5: votes between pictures, captions as judged, settings; every batch has a row of its own.

ALTER TABLE image ADD COLUMN caption TEXT NOT NULL DEFAULT '';   -- as judged; '' is as found

-- A batch stands until it is undone; an undo is a batch that never stands.
CREATE TABLE batch (
    id     INTEGER PRIMARY KEY,
    at     TEXT NOT NULL,
    who    TEXT NOT NULL,
    verb   TEXT NOT NULL,
    votes  INTEGER NOT NULL DEFAULT 0,       -- how many it cast or took back
    undoes INTEGER,
    stands INTEGER NOT NULL CHECK (stands IN (0, 1))
) STRICT;
INSERT INTO batch (id, at, who, verb, undoes, stands)
SELECT batch, min(at), who, verb, undoes, undoes IS NULL FROM (
    SELECT batch, at, who, verb, undoes FROM event
    UNION ALL SELECT batch, at, who, verb, undoes FROM pair_decision)
GROUP BY batch;
UPDATE batch SET stands = 0 WHERE id IN (SELECT undoes FROM batch WHERE undoes IS NOT NULL);
CREATE INDEX batch_standing ON batch (id) WHERE stands = 1;
CREATE INDEX batch_standing_of ON batch (who, id) WHERE stands = 1;
CREATE INDEX batch_of_votes_undone ON batch (id) WHERE votes > 0 AND undoes IS NOT NULL;

-- Events take captions, too: the same rows under a wider rule.
CREATE TABLE event_5 (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    batch         INTEGER NOT NULL,
    at            TEXT NOT NULL,
    who           TEXT NOT NULL,
    verb          TEXT NOT NULL,
    image_id      INTEGER NOT NULL REFERENCES image (id),
    field         TEXT NOT NULL CHECK (field IN ('status', 'label', 'stars', 'caption')),
    before        ANY NOT NULL,
    after         ANY NOT NULL,
    reason_before TEXT NOT NULL,
    reason_after  TEXT NOT NULL,
    undoes        INTEGER
) STRICT;
INSERT INTO event_5 SELECT * FROM event ORDER BY id;
DROP TABLE event;
ALTER TABLE event_5 RENAME TO event;
CREATE INDEX event_by_image ON event (image_id, id);
CREATE INDEX event_by_batch ON event (batch);
CREATE TRIGGER event_is_final BEFORE UPDATE ON event
BEGIN SELECT RAISE (ABORT, 'events are never changed'); END;
CREATE TRIGGER event_stays BEFORE DELETE ON event
BEGIN SELECT RAISE (ABORT, 'events are never deleted'); END;
DROP INDEX pair_decision_by_undone;

-- Which of two pictures somebody liked better, as they stood on the screen. A vote counts as long
-- as its batch stands; `aside` are random pairs that no fit sees: they measure it.
CREATE TABLE vote (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    batch    INTEGER NOT NULL REFERENCES batch (id) DEFERRABLE INITIALLY DEFERRED,
    at       TEXT NOT NULL,
    who      TEXT NOT NULL,
    verb     TEXT NOT NULL,
    left_id  INTEGER NOT NULL REFERENCES image (id),
    right_id INTEGER NOT NULL REFERENCES image (id),
    outcome  TEXT NOT NULL CHECK (outcome IN ('left', 'right', 'tie')),
    aside    INTEGER NOT NULL CHECK (aside IN (0, 1)),
    CHECK (left_id <> right_id)
) STRICT;
CREATE INDEX vote_by_batch ON vote (batch);
CREATE INDEX vote_by_left ON vote (left_id);
CREATE INDEX vote_by_right ON vote (right_id);
CREATE TRIGGER vote_is_final BEFORE UPDATE ON vote
BEGIN SELECT RAISE (ABORT, 'votes are never changed'); END;
CREATE TRIGGER vote_stays BEFORE DELETE ON vote
BEGIN SELECT RAISE (ABORT, 'votes are never deleted'); END;

-- Small wishes such as the target of a class; the log beside it as for pictures.
CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL CHECK (value <> '')
) STRICT, WITHOUT ROWID;
CREATE TABLE setting_event (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    batch  INTEGER NOT NULL,
    at     TEXT NOT NULL,
    who    TEXT NOT NULL,
    verb   TEXT NOT NULL,
    name   TEXT NOT NULL,
    before TEXT NOT NULL,
    after  TEXT NOT NULL,
    undoes INTEGER
) STRICT;
CREATE INDEX setting_event_by_name ON setting_event (name, id);
CREATE INDEX setting_event_by_batch ON setting_event (batch);
CREATE TRIGGER setting_event_is_final BEFORE UPDATE ON setting_event
BEGIN SELECT RAISE (ABORT, 'events are never changed'); END;
CREATE TRIGGER setting_event_stays BEFORE DELETE ON setting_event
BEGIN SELECT RAISE (ABORT, 'events are never deleted'); END;

-- Scores that follow from judgements and votes; computed anew at will.
CREATE TABLE rating (
    kind      TEXT NOT NULL,
    image_id  INTEGER NOT NULL REFERENCES image (id),
    score     REAL NOT NULL,
    deviation REAL NOT NULL,
    PRIMARY KEY (kind, image_id)
) STRICT, WITHOUT ROWID;

-- Words of the captions, as found and as judged; the texts stay where they are.
CREATE VIRTUAL TABLE caption_words USING fts5 (
    text, content = 'caption', content_rowid = 'id',
    tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3', detail = 'full'
);
INSERT INTO caption_words (caption_words) VALUES ('rebuild');
CREATE TRIGGER caption_words_new AFTER INSERT ON caption
BEGIN INSERT INTO caption_words (rowid, text) VALUES (new.id, new.text); END;
CREATE TRIGGER caption_words_old AFTER DELETE ON caption
BEGIN INSERT INTO caption_words (caption_words, rowid, text) VALUES ('delete', old.id, old.text); END;
CREATE INDEX image_with_caption ON image (id) WHERE caption <> '';
