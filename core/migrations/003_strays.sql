-- Operations under this device's id that this store did not write: another copy of its folder signed them with the same key.
-- They came with the feed and stand in `operations` like everybody's; what speaks of this store's own chain passes them over.
CREATE TABLE strays (
    n INTEGER PRIMARY KEY REFERENCES operations (n) -- the operation
);
