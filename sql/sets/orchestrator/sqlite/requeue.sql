-- Hands the job back to the orchestrator's queue, if it still is what was judged.
WITH
-- include job.part.sql
, wanted AS MATERIALIZED (
    -- An id that is no canonical integer, or none that fits, names no job.
    SELECT CASE WHEN CAST(CAST(text AS INTEGER) AS TEXT) = text THEN CAST(text AS INTEGER) END AS id
    FROM (SELECT CAST(:job AS TEXT) AS text) w
), judged AS MATERIALIZED (
    SELECT id FROM job WHERE id = (SELECT id FROM wanted) AND version = CAST(:version AS TEXT)
)
UPDATE jobs SET status = 'queued', started_at = NULL
WHERE id = (SELECT id FROM judged) AND status = 'running'
