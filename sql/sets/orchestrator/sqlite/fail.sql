-- Closes the job as failed, if it still is what was judged. The instant is written in UTC, with milliseconds.
WITH
-- include job.part.sql
, wanted AS MATERIALIZED (
    -- An id that is no canonical integer, or none that fits, names no job.
    SELECT CASE WHEN CAST(CAST(text AS INTEGER) AS TEXT) = text THEN CAST(text AS INTEGER) END AS id
    FROM (SELECT CAST(:job AS TEXT) AS text) w
), judged AS MATERIALIZED (
    SELECT id FROM job WHERE id = (SELECT id FROM wanted) AND version = CAST(:version AS TEXT)
)
UPDATE jobs SET status = 'failed', finished_at = strftime('%Y-%m-%dT%H:%M:%fZ', :now, 'unixepoch')
WHERE id = (SELECT id FROM judged) AND status = 'running'
