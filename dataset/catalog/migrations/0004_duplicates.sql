-- Version 4: what a person said of two pictures is kept for ever; a duplicate knows what it is one of.

-- Append-only, in the same batches as `event`. `since_*` is the batch that set the verdict: an undo
-- brings back the verdict and its age.
CREATE TABLE pair_decision (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    batch        INTEGER NOT NULL,
    at           TEXT NOT NULL,
    who          TEXT NOT NULL,
    verb         TEXT NOT NULL,
    a            INTEGER NOT NULL REFERENCES image (id),
    b            INTEGER NOT NULL REFERENCES image (id),
    before       TEXT NOT NULL CHECK (before IN ('', 'same', 'different')),
    after        TEXT NOT NULL CHECK (after IN ('', 'same', 'different')),
    since_before INTEGER NOT NULL,
    since_after  INTEGER NOT NULL,
    undoes       INTEGER,
    CHECK (a < b)
) STRICT;
CREATE INDEX pair_decision_by_pair ON pair_decision (a, b, id);
CREATE INDEX pair_decision_by_b ON pair_decision (b);
CREATE INDEX pair_decision_by_batch ON pair_decision (batch);
CREATE INDEX pair_decision_by_undone ON pair_decision (undoes) WHERE undoes IS NOT NULL;
CREATE TRIGGER pair_decision_is_final BEFORE UPDATE ON pair_decision
BEGIN SELECT RAISE (ABORT, 'decisions are never changed'); END;
CREATE TRIGGER pair_decision_stays BEFORE DELETE ON pair_decision
BEGIN SELECT RAISE (ABORT, 'decisions are never deleted'); END;

-- The picture that stays for a rejected duplicate; follows from the judgement, so undo needs nothing.
ALTER TABLE image ADD COLUMN duplicate_of INTEGER GENERATED ALWAYS AS (
    CASE WHEN status = 'reject' AND reason GLOB 'duplicate of #[0-9]*'
         THEN CAST(substr(reason, 15) AS INTEGER) END
) VIRTUAL;
CREATE INDEX image_by_keeper ON image (duplicate_of) WHERE duplicate_of IS NOT NULL;
