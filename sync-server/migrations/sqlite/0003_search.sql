-- What people find cases, enterprises and documents by. Derived like 0002: dropped and made again with the views.

-- One row for each thing that can be found.
CREATE TABLE line (
  number     INTEGER PRIMARY KEY,  -- kind · 2^40 + counter: a kind is one range of rows, here and in line_text
  kind       INTEGER NOT NULL,     -- 1 case, 2 enterprise, 3 document
  id         BLOB NOT NULL,        -- 16 bytes
  scope      BLOB NOT NULL,        -- 16 bytes: the case of a document; else the id
  stage      INTEGER NOT NULL,     -- 0 planned, 1 in progress, 2 closed, 3 returned
  due        INTEGER NOT NULL,     -- earliest due date, days since 1970-01-01; 2147483647: none
  day        INTEGER NOT NULL,     -- planned day, likewise
  seen_ms    INTEGER NOT NULL,     -- server clock: when something of it last arrived
  problems   INTEGER NOT NULL,     -- conflicts, operations set aside, files that did not arrive
  digest     BLOB NOT NULL,        -- of the text below: what did not change is not indexed again
  UNIQUE (kind, id)
) STRICT;
CREATE INDEX line_by_due ON line (kind, due, seen_ms DESC, number);
CREATE INDEX line_by_seen ON line (kind, seen_ms DESC, number);

-- What a list shows of it, JSON. A case's is its register.
CREATE TABLE line_shown (
  number     INTEGER PRIMARY KEY,
  shown      BLOB NOT NULL
) STRICT;

-- Pairs of neighbouring letters, made by ledger/words.rs: a word of two characters is one token, a longer one a phrase.
CREATE VIRTUAL TABLE line_text USING fts5 (grams, tags, content = '', contentless_delete = 1, tokenize = 'ascii');

-- Who opened one original: shown in its chain of custody.
CREATE INDEX access_by_target ON access (target, number);

-- A ledger that was written before has no lines: its views are folded again at the next start.
DELETE FROM write;
DELETE FROM field;
DELETE FROM member;
DELETE FROM register WHERE space IN ('case', 'quarantine', 'closing');
UPDATE register SET value = X'30', version = version + 1 WHERE space = 'meta' AND key = CAST('projected' AS BLOB);
