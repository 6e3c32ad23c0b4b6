-- The running jobs that age alone would reap: their run finished a grace ago or more, or they began a ceiling ago
-- or more. (One that finished before the ceiling's instant and began after it contradicts itself, and comes when it
-- is as old as the ceiling.) Times have several forms here, so that no index can order them: the
-- index of the open jobs gives those that are running, and each is looked at.
WITH
-- include job.part.sql
, after AS MATERIALIZED (
    SELECT CASE WHEN text = '' THEN -9223372036854775808 ELSE
        CASE WHEN CAST(CAST(text AS INTEGER) AS TEXT) = text THEN CAST(text AS INTEGER) END
        END AS id
    FROM (SELECT CAST(:after AS TEXT) AS text) a
), candidate AS MATERIALIZED (
    SELECT id FROM jobs
    WHERE status = 'running' AND (status IS NULL OR status NOT IN ('done', 'failed'))
        AND +id > (SELECT id FROM after)
)
SELECT job, run, task, stage, status, attempt, version, created_at, started_at, run_started_at, finished_at,
       exit_code, pid
FROM job
WHERE id IN (SELECT id FROM candidate)
    AND (ended <= :now - :grace AND (ended > :now - :ceiling OR coalesce(began, started, created) IS NULL)
        OR coalesce(began, started, created) <= :now - :ceiling)
ORDER BY id
LIMIT :limit
