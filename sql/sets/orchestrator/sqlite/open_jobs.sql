-- Every open job: those that are running, and those of a status that the orchestrator does not have, which are
-- shown because nobody else will.
WITH
-- include job.part.sql
, after AS MATERIALIZED (
    SELECT CASE WHEN text = '' THEN -9223372036854775808 ELSE
        CASE WHEN CAST(CAST(text AS INTEGER) AS TEXT) = text THEN CAST(text AS INTEGER) END
        END AS id
    FROM (SELECT CAST(:after AS TEXT) AS text) a
), candidate AS MATERIALIZED (
    SELECT id FROM jobs
    WHERE (status IS NULL OR status NOT IN ('done', 'failed'))
        AND (status IS NULL OR status < 'queued' OR status > 'queued')
        AND +id > (SELECT id FROM after)
)
SELECT job, run, task, stage, status, attempt, version, created_at, started_at, run_started_at, finished_at,
       exit_code, pid
FROM job
WHERE id IN (SELECT id FROM candidate ORDER BY id LIMIT :limit)
ORDER BY id
