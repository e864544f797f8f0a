-- The central record. Everything here is authoritative and append-only except `chain`, `stream` and `register`,
-- which change only by compare-and-swap inside the transaction that appends.

-- Leaves of the central tree, in the order of admission.
CREATE TABLE leaf (
  idx        INTEGER PRIMARY KEY,  -- leaf index in the tree, from 0, without gaps
  data       BLOB NOT NULL         -- 32 bytes: commitment of an operation, or leaf of a key log head
) STRICT;

-- Leaves whose operation is not held: after a restore, taken from the entry bundles until the devices offer them again.
CREATE TABLE orphan (
  commitment BLOB PRIMARY KEY,     -- the leaf's 32 bytes
  idx        INTEGER NOT NULL      -- its index
) STRICT, WITHOUT ROWID;

-- One incarnation of one device.
CREATE TABLE chain (
  number      INTEGER PRIMARY KEY, -- short name used in `operation` and `stream`
  device      BLOB NOT NULL,       -- 16 bytes
  incarnation BLOB NOT NULL,       -- 16 bytes
  version     INTEGER NOT NULL,    -- counts changes; the compare-and-swap value
  runs        TEXT NOT NULL,       -- JSON: contiguous runs of operations (main, gap, fork) with their heads
  UNIQUE (device, incarnation)
) STRICT;

CREATE TABLE operation (
  arrival     INTEGER PRIMARY KEY, -- order of arrival, from 1: what feed and views follow. Differs from the order of leaves only after a
                                   -- restore, when a device offers again what already has its leaf
  leaf        INTEGER NOT NULL UNIQUE, -- index of its leaf
  id          BLOB NOT NULL,       -- 32 bytes: hash of the header. Not unique: the same header signed twice is equivocation, and both are kept
  commitment  BLOB NOT NULL,       -- 32 bytes: hash of header and signature
  chain       INTEGER NOT NULL REFERENCES chain (number),
  run         INTEGER NOT NULL,    -- run of the chain it lies in
  seq         INTEGER NOT NULL,    -- its place in the device's chain
  link        BLOB NOT NULL,       -- 32 bytes: device link after it
  kind        TEXT NOT NULL,
  scope       BLOB,                -- 16 bytes: case; NULL for the registry
  stream      BLOB NOT NULL,       -- 16 bytes: inspection, else case, else device
  counter     INTEGER NOT NULL,    -- its place in the stream
  batch       INTEGER NOT NULL,    -- arrival of the first operation that came with it; a feed page holds whole batches
  audience    BLOB,                -- 16 bytes: a device that must get it although it is neither author nor named in the case
  received_ms INTEGER NOT NULL,    -- server clock, milliseconds since 1970
  spoiled     INTEGER NOT NULL,    -- 1: header and signature hold, the body does not; the frame is kept as it came
  frame       BLOB NOT NULL        -- the envelope, byte for byte as it came
) STRICT;
CREATE INDEX operation_by_place ON operation (chain, seq);
CREATE INDEX operation_by_id ON operation (id);
CREATE INDEX operation_by_scope ON operation (scope, arrival) WHERE scope IS NOT NULL;

-- Last counter and id of every stream of every chain: what a roll names.
CREATE TABLE stream (
  chain      INTEGER NOT NULL REFERENCES chain (number),
  stream     BLOB NOT NULL,        -- 16 bytes
  scope      BLOB,                 -- 16 bytes: case; NULL for the registry
  counter    INTEGER NOT NULL,     -- last counter without a gap
  id         BLOB NOT NULL,        -- id of the operation with that counter
  leaf       INTEGER NOT NULL,     -- its leaf
  PRIMARY KEY (chain, stream)
) STRICT, WITHOUT ROWID;
CREATE INDEX stream_by_scope ON stream (scope) WHERE scope IS NOT NULL;

-- The tenant's key log.
CREATE TABLE key_log (
  idx        INTEGER PRIMARY KEY,  -- index of the entry, from 0, without gaps
  frame      BLOB NOT NULL,        -- entry, signature and attributes as they came
  leaf       INTEGER NOT NULL      -- index of the first head leaf in the tree that covers it: where it takes effect
) STRICT;

-- Which blobs an operation names: what may be asked about and uploaded.
CREATE TABLE blob_ref (
  sha256     BLOB NOT NULL,        -- 32 bytes: hash of the original bytes
  device     BLOB NOT NULL,        -- 16 bytes: author of the operation
  leaf       INTEGER NOT NULL,     -- the operation
  scope      BLOB,                 -- 16 bytes: case; NULL for the registry
  PRIMARY KEY (sha256, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_ref_by_scope ON blob_ref (scope);

-- Small named values that change by compare-and-swap.
CREATE TABLE register (
  space      TEXT NOT NULL,        -- what kind of value: ledger/space.rs lists them
  key        BLOB NOT NULL,
  version    INTEGER NOT NULL,     -- counts changes of this key, from 1
  value      BLOB NOT NULL,
  PRIMARY KEY (space, key)
) STRICT, WITHOUT ROWID;

-- Who read an original, exported a case or changed the server's rules. Never changed, never deleted.
CREATE TABLE access (
  number     INTEGER PRIMARY KEY,
  at_ms      INTEGER NOT NULL,     -- server clock
  who        TEXT NOT NULL,        -- role and device of the token, or the command line
  action     TEXT NOT NULL,        -- e.g. blob.read, case.export
  target     TEXT NOT NULL         -- hash or id of what was touched
) STRICT;
