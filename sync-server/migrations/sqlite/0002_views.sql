-- Folded views. Everything here is derived from 0001 and may be dropped: `fieldseal-server fsck --rebuild` makes it again.

-- One row for each field that an operation writes.
CREATE TABLE write (
  scope      BLOB NOT NULL,        -- 16 bytes: case, or the tenant for the registry
  path       TEXT NOT NULL,
  op         BLOB NOT NULL,        -- 32 bytes
  leaf       INTEGER NOT NULL,
  value      BLOB,                 -- encoded value; NULL when it is withheld
  key        BLOB NOT NULL,        -- the operation's merge key: hlc_ms, hlc_counter, device, incarnation, seq
  supersedes BLOB NOT NULL,        -- 32-byte ids, one after the other
  PRIMARY KEY (scope, path, op)
) STRICT, WITHOUT ROWID;

-- What the writes of a path come to.
CREATE TABLE field (
  scope       BLOB NOT NULL,
  path        TEXT NOT NULL,
  class       TEXT NOT NULL,       -- merge.md: last, set, append, legal, sealed
  outcome     TEXT NOT NULL,       -- single, set, list, conflict, contradiction
  provisional INTEGER NOT NULL,    -- 1: an id in supersedes is not held yet
  held        BLOB NOT NULL,       -- CBOR: [[value or empty, [op id…]]…]
  PRIMARY KEY (scope, path)
) STRICT, WITHOUT ROWID;

-- Who is named in a case, and from which leaf on.
CREATE TABLE member (
  subject    BLOB NOT NULL,        -- 16 bytes: device or officer
  scope      BLOB NOT NULL,        -- 16 bytes: case
  since      INTEGER NOT NULL,     -- arrival of the operation that named it
  PRIMARY KEY (subject, scope)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_by_scope ON member (scope);
