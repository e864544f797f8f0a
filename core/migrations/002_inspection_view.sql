-- What the list of inspections shows of each, folded from the operations of its case. A row is gone from the moment an
-- operation of the case is written, in the same transaction, and made again when it is asked for.
CREATE TABLE inspection_view (
    scope BLOB NOT NULL,                -- b16, the case
    stream BLOB NOT NULL,               -- b16, the inspection
    title TEXT,                         -- what it is called
    enterprise BLOB,                    -- b16, the enterprise inspected
    party TEXT,                         -- name of the party
    planned TEXT,                       -- planned day
    closed INTEGER NOT NULL,            -- somebody closed it
    returned INTEGER NOT NULL,          -- a supervisor sent it back after that
    conflicts INTEGER NOT NULL,         -- fields in conflict
    PRIMARY KEY (scope, stream)
) WITHOUT ROWID;

-- Since when a file waits to be sent, by the device's clock; NULL for files that are older than this column.
ALTER TABLE blobs ADD COLUMN added_ms INTEGER;

-- The visits to an enterprise, without reading every write.
CREATE INDEX writes_enterprise ON writes (value, scope) WHERE path = 'inspection/enterprise';
