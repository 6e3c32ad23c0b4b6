-- Every open job: those that are running, and those of a status that the orchestrator does not have, which are
-- shown because nobody else will. The way is the same whatever the planner believes, as in due_jobs: the open jobs are
-- found by their index ("+ 0": not in the order of all ids), and those of the page one by one by their ids.
WITH
-- include job.part.sql
, after AS MATERIALIZED (
    SELECT CASE WHEN text = '' THEN -9223372036854775808 ELSE
        CASE WHEN text ~ '^(0|-?[1-9][0-9]{0,18})$' THEN
        CASE WHEN CAST(text AS numeric) BETWEEN -9223372036854775808 AND 9223372036854775807
        THEN CAST(text AS bigint) END END
        END AS id
    FROM (SELECT CAST(:after AS text) AS text) a
), candidate AS MATERIALIZED (
    SELECT id FROM jobs
    WHERE (status IS NULL OR status NOT IN ('done', 'failed'))
        AND (status IS NULL OR status < 'queued' OR status > 'queued')
        AND id + 0 > (SELECT id FROM after)
)
SELECT job, run, task, stage, status, attempt, version, created_at, started_at, run_started_at, finished_at,
       exit_code, pid
FROM (SELECT id FROM candidate ORDER BY id LIMIT :limit) c
CROSS JOIN LATERAL (SELECT * FROM job WHERE job.id = c.id OFFSET 0) j
ORDER BY c.id
