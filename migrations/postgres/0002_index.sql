-- The index of the log: what listings are counted and found by. The transaction that records the
-- last entry of a run of positions writes the run's rows once and for good; they say nothing that
-- the entries don't, and `activity-logs check` compares the two.

-- Listings are found by runs, so these have nothing left to do.
DROP INDEX entries_by_time;
DROP INDEX entries_of_all_by_time;
DROP INDEX entries_by_user;
CREATE INDEX entries_by_position ON entries (position);

-- How many positions a run has, and how often a removal has changed what listings hold.
ALTER TABLE service_head
    ADD COLUMN run_entries INTEGER NOT NULL DEFAULT 65536 CHECK (run_entries BETWEEN 1 AND 65536),
    ADD COLUMN removals BIGINT NOT NULL DEFAULT 0 CHECK (removals >= 0);

-- One row for each run: the keys that bound its chunks, and how many entries each log has in it.
CREATE TABLE runs (
    run BIGINT NOT NULL PRIMARY KEY CHECK (run >= 0),
    entries INTEGER NOT NULL CHECK (entries BETWEEN 0 AND 65536),
    bounds BYTEA NOT NULL,
    logs BYTEA NOT NULL,
    log_of_rank BYTEA NOT NULL
);

-- The keys of a run's entries in the order of listings.
CREATE TABLE run_keys (
    run BIGINT NOT NULL,
    chunk INTEGER NOT NULL CHECK (chunk >= 0),
    keys BYTEA NOT NULL,
    PRIMARY KEY (run, chunk)
);

-- For each list of each log ('*': of all together) its ranks in a run. A list named '' holds all
-- lists of a log that has few entries in the run.
CREATE TABLE run_lists (
    organization_id TEXT COLLATE "C" NOT NULL,
    list TEXT COLLATE "C" NOT NULL,
    run BIGINT NOT NULL,
    entries INTEGER NOT NULL CHECK (entries > 0),
    content BYTEA NOT NULL,
    PRIMARY KEY (organization_id, list, run)
);

-- Deleted organizations whose entries are still to be taken out, from which run on.
CREATE TABLE removals (
    organization_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    next_run BIGINT NOT NULL CHECK (next_run >= 0)
);

-- Nothing to gain: sets of ranks are as short as they get.
ALTER TABLE runs ALTER COLUMN bounds SET STORAGE EXTERNAL, ALTER COLUMN log_of_rank SET STORAGE EXTERNAL;
ALTER TABLE run_keys ALTER COLUMN keys SET STORAGE EXTERNAL;
ALTER TABLE run_lists ALTER COLUMN content SET STORAGE EXTERNAL;

-- Entries go in steps, oldest first, so that nobody waits for long.
DROP FUNCTION remove_entries_of(TEXT);
CREATE FUNCTION remove_entries_of(organization TEXT, most BIGINT) RETURNS BIGINT
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    removed BIGINT;
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM logs WHERE organization_id = organization AND deleted_at IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'entries are permanent' USING ERRCODE = 'insufficient_privilege';
    END IF;
    DELETE FROM entries WHERE organization_id = organization AND sequence < most + (
        SELECT MIN(sequence) FROM entries WHERE organization_id = organization
    );
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;

DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION remove_entries_of(TEXT, BIGINT) SET search_path = %I, pg_temp', current_schema());
END $$;

REVOKE ALL ON FUNCTION remove_entries_of(TEXT, BIGINT) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remove_entries_of(TEXT, BIGINT) TO activity_logs_service;
GRANT UPDATE (removals) ON service_head TO activity_logs_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON runs, run_keys, run_lists, removals TO activity_logs_service;
