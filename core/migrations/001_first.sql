-- The tablet's store. Bytes of operations are kept exactly as signed; everything else can be folded from them, or was
-- given by the server and can be fetched again. Times are milliseconds since 1970 by the device's clock.

-- Small facts of this store, one row each: the hybrid clock, the feed's cursor, the server's epoch, the pack in force.
CREATE TABLE meta (
    key TEXT PRIMARY KEY NOT NULL,      -- name of the fact
    value BLOB NOT NULL                 -- its value; the reader of the key knows the form
) WITHOUT ROWID;

-- One row for each life of this store; what a push offers follows from it, so there is no separate queue that could disagree.
CREATE TABLE chains (
    incarnation BLOB PRIMARY KEY NOT NULL, -- b16, the life
    born INTEGER NOT NULL,              -- order of the lives, from 0
    next_seq INTEGER NOT NULL,          -- sequence number of the next operation
    link BLOB NOT NULL,                 -- b32, device link before the next operation
    received INTEGER NOT NULL DEFAULT 0, -- operations below this seq are covered by a batch receipt
    logged INTEGER NOT NULL DEFAULT 0   -- operations below this seq have a checked leaf index
) WITHOUT ROWID;

-- Every operation this device holds, its own and other people's.
CREATE TABLE operations (
    n INTEGER PRIMARY KEY,              -- order of arrival on this device
    id BLOB NOT NULL,                   -- b32, hash of the header
    device BLOB NOT NULL,               -- b16, author
    incarnation BLOB NOT NULL,          -- b16, life of the author's store
    seq INTEGER NOT NULL,               -- in that life, from 0
    scope BLOB NOT NULL,                -- b16 case, or empty: the registry
    stream BLOB NOT NULL,               -- b16 inspection, case or device
    counter INTEGER NOT NULL,           -- in the stream of that device and life, from 0
    kind TEXT NOT NULL,                 -- kind of merge.md
    wall_ms INTEGER NOT NULL,           -- the author's clock, a claim
    link BLOB NOT NULL,                 -- b32, device link after it
    frame BLOB NOT NULL                 -- the envelope of operation.md
);
CREATE UNIQUE INDEX operations_id ON operations (id);
CREATE INDEX operations_chain ON operations (device, incarnation, seq);
CREATE INDEX operations_stream ON operations (scope, stream, device, incarnation, counter);
-- Which inspections there are and in which case, without touching the frames.
CREATE INDEX operations_inspections ON operations (stream, scope) WHERE kind IN ('inspection.assign', 'inspection.begin');

-- Place in the central log, for operations whose place was checked or came with the feed.
CREATE TABLE leaves (
    n INTEGER PRIMARY KEY REFERENCES operations (n), -- the operation
    leaf INTEGER NOT NULL               -- index in the central log, from 0
);

-- Every write of every path, folded from the operations.
CREATE TABLE writes (
    scope BLOB NOT NULL,                -- as in operations
    path TEXT NOT NULL,                 -- body path
    n INTEGER NOT NULL REFERENCES operations (n), -- the operation that writes it
    head INTEGER NOT NULL,              -- 1 while no other effective write of the path supersedes it and it is not quarantined
    value BLOB,                         -- encoded value; NULL when it is withheld
    PRIMARY KEY (scope, path, n)
) WITHOUT ROWID;

-- Who supersedes whom, from the superseded id, which may be unknown here.
CREATE TABLE edges (
    target BLOB NOT NULL,               -- b32, the superseded id
    n INTEGER NOT NULL REFERENCES operations (n), -- the operation that supersedes it
    PRIMARY KEY (target, n)
) WITHOUT ROWID;

-- Operations that are set aside by a disposition in force.
CREATE TABLE quarantine (
    id BLOB PRIMARY KEY NOT NULL,       -- b32, the operation
    reason TEXT NOT NULL                -- reason code of merge.md
) WITHOUT ROWID;

-- Edits that were typed and not yet committed as an operation.
CREATE TABLE drafts (
    inspection BLOB NOT NULL,           -- b16, where it was typed
    path TEXT NOT NULL,                 -- body path
    case_id BLOB NOT NULL,              -- b16, the inspection's case
    value BLOB NOT NULL,                -- encoded value
    edited_ms INTEGER NOT NULL,         -- when it was typed
    PRIMARY KEY (inspection, path)
) WITHOUT ROWID;

-- Evidence and documents in the vault.
CREATE TABLE blobs (
    n INTEGER PRIMARY KEY,              -- order of arrival
    sha256 BLOB NOT NULL UNIQUE,        -- of the original bytes
    size INTEGER NOT NULL,              -- original bytes
    media_type TEXT NOT NULL,           -- by content
    file TEXT NOT NULL,                 -- name in the vault
    state TEXT NOT NULL,                -- sealed (an operation names it), unsealed (found at a start), changed (set aside), missing
    mine INTEGER NOT NULL,              -- 1 when this device has to send it
    upload TEXT,                        -- path of an upload that was begun
    receipt BLOB                        -- the server's blob receipt, framed
);

-- Receipts as the server gave them.
CREATE TABLE receipts (
    n INTEGER PRIMARY KEY,              -- order of arrival
    kind TEXT NOT NULL,                 -- batch or index
    incarnation BLOB NOT NULL,          -- b16, of this device
    first INTEGER NOT NULL,             -- first seq covered
    last INTEGER NOT NULL,              -- last seq covered
    bytes BLOB NOT NULL,                -- as received
    UNIQUE (kind, incarnation, first, last)
);

-- The tenant's key log, every frame checked before it came here.
CREATE TABLE key_log (
    idx INTEGER PRIMARY KEY,            -- entry index, from 0
    frame BLOB NOT NULL                 -- as received
);

-- Rule packs held.
CREATE TABLE packs (
    hash BLOB PRIMARY KEY NOT NULL,     -- content address
    file BLOB NOT NULL,                 -- the pack file: bytes, signature, key id
    added_ms INTEGER NOT NULL           -- when it came
) WITHOUT ROWID;

-- Time attestations held and verified; the newest is the anchor of the next operation.
CREATE TABLE attestations (
    anchor BLOB PRIMARY KEY NOT NULL,   -- hash of kind and bytes
    kind TEXT NOT NULL,                 -- time-note, cosigned-note, rfc3161
    bytes BLOB NOT NULL,                -- as received
    time_ms INTEGER NOT NULL,           -- the time it states
    size INTEGER NOT NULL               -- tree size it names
) WITHOUT ROWID;
CREATE INDEX attestations_time ON attestations (time_ms);

-- Checkpoints held, each checked against those before.
CREATE TABLE checkpoints (
    size INTEGER PRIMARY KEY,           -- tree size
    root BLOB NOT NULL,                 -- b32
    note BLOB NOT NULL                  -- the signed note
);

-- Numbers used from leases; a number is burnt when it is handed out and never used again.
CREATE TABLE numbers (
    lease TEXT NOT NULL,                -- lease id of number.lease
    number INTEGER NOT NULL,            -- within first..last of the lease
    used_ms INTEGER NOT NULL,           -- when it was handed out
    PRIMARY KEY (lease, number)
) WITHOUT ROWID;

-- Officer sessions of this device.
CREATE TABLE sessions (
    id BLOB PRIMARY KEY NOT NULL,       -- b16, header key 12
    officer BLOB NOT NULL,              -- b16, who
    began_ms INTEGER NOT NULL,          -- when the PIN was entered
    ended_ms INTEGER                    -- when it ended; NULL while it lasts
) WITHOUT ROWID;
