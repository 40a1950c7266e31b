-- The index of the log: what listings are counted and found by. The transaction that records the
-- last entry of a run of positions writes the run's rows once and for good; they say nothing that
-- the entries don't, and `activity-logs check` compares the two.

-- Listings are found by runs, so these have nothing left to do.
DROP INDEX entries_by_time;
DROP INDEX entries_of_all_by_time;
DROP INDEX entries_by_user;
CREATE INDEX entries_by_position ON entries (position);

-- How many positions a run has, and how often a removal has changed what listings hold.
ALTER TABLE service_head ADD COLUMN run_entries INTEGER NOT NULL DEFAULT 65536 CHECK (run_entries BETWEEN 1 AND 65536);
ALTER TABLE service_head ADD COLUMN removals INTEGER NOT NULL DEFAULT 0 CHECK (removals >= 0);

-- One row for each run: the keys that bound its chunks, and how many entries each log has in it.
CREATE TABLE runs (
    run INTEGER NOT NULL PRIMARY KEY CHECK (run >= 0),
    entries INTEGER NOT NULL CHECK (entries BETWEEN 0 AND 65536),
    bounds BLOB NOT NULL,
    logs BLOB NOT NULL,
    log_of_rank BLOB NOT NULL
) STRICT;

-- The keys of a run's entries in the order of listings.
CREATE TABLE run_keys (
    run INTEGER NOT NULL,
    chunk INTEGER NOT NULL CHECK (chunk >= 0),
    keys BLOB NOT NULL,
    PRIMARY KEY (run, chunk)
) STRICT;

-- For each list of each log ('*': of all together) its ranks in a run. A list named '' holds all
-- lists of a log that has few entries in the run.
CREATE TABLE run_lists (
    organization_id TEXT NOT NULL,
    list TEXT NOT NULL,
    run INTEGER NOT NULL,
    entries INTEGER NOT NULL CHECK (entries > 0),
    content BLOB NOT NULL,
    PRIMARY KEY (organization_id, list, run)
) STRICT, WITHOUT ROWID;

-- Deleted organizations whose entries are still to be taken out, from which run on.
CREATE TABLE removals (
    organization_id TEXT NOT NULL PRIMARY KEY,
    next_run INTEGER NOT NULL CHECK (next_run >= 0)
) STRICT, WITHOUT ROWID;
