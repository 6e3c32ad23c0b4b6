-- The jobs of a list, open or not.
WITH
-- include job.part.sql
, wanted AS MATERIALIZED (
    -- An id that is no canonical integer, or none that fits, names no job.
    SELECT CASE WHEN text ~ '^(0|-?[1-9][0-9]{0,18})$' THEN
        CASE WHEN CAST(text AS numeric) BETWEEN -9223372036854775808 AND 9223372036854775807
        THEN CAST(text AS bigint) END END AS id
    FROM (SELECT jsonb_array_elements_text(CAST(:jobs AS jsonb)) AS text) w
)
SELECT job, run, task, stage, status, attempt, version, created_at, started_at, run_started_at, finished_at,
       exit_code, pid
FROM job
WHERE id = ANY (ARRAY(SELECT id FROM wanted))
