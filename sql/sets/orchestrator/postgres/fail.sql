-- Closes the job as failed, if it still is what was judged.
WITH
-- include job.part.sql
, wanted AS MATERIALIZED (
    -- An id that is no canonical integer, or none that fits, names no job.
    SELECT CASE WHEN text ~ '^(0|-?[1-9][0-9]{0,18})$' THEN
        CASE WHEN CAST(text AS numeric) BETWEEN -9223372036854775808 AND 9223372036854775807
        THEN CAST(text AS bigint) END END AS id
    FROM (SELECT CAST(:job AS text) AS text) w
), judged AS MATERIALIZED (
    SELECT id FROM job WHERE id = (SELECT id FROM wanted) AND version = CAST(:version AS text)
)
UPDATE jobs SET status = 'failed', finished_at = to_timestamp(CAST(:now AS double precision))
WHERE id = (SELECT id FROM judged) AND status = 'running'
