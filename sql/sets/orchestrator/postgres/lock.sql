-- One job, with its row and then its run's row locked. Nothing is waited for, so that no deadlock can come of this:
-- whoever has a row locked is at work on it, and the job counts as none until they let go.
WITH
-- include job.part.sql
, wanted AS MATERIALIZED (
    -- An id that is no canonical integer, or none that fits, names no job.
    SELECT CASE WHEN text ~ '^(0|-?[1-9][0-9]{0,18})$' THEN
        CASE WHEN CAST(text AS numeric) BETWEEN -9223372036854775808 AND 9223372036854775807
        THEN CAST(text AS bigint) END END AS id
    FROM (SELECT CAST(:job AS text) AS text) w
), locked_job AS MATERIALIZED (
    SELECT id FROM jobs WHERE id = (SELECT id FROM wanted) FOR UPDATE SKIP LOCKED
)
SELECT job, run, task, stage, status, attempt, version, created_at, started_at, run_started_at, finished_at,
       exit_code, pid
FROM locked_job
JOIN job USING (id)
LEFT JOIN LATERAL (
    SELECT id FROM agent_runs WHERE id = job.run_id FOR UPDATE SKIP LOCKED
) locked_run ON true
WHERE run_id IS NULL OR locked_run.id IS NOT NULL
