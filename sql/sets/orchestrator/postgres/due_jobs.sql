-- The running jobs that age alone would reap: their run finished a grace ago or more, or they began a ceiling ago
-- or more. Each is met by an arm of "candidate" that an index answers: a job that began before the ceiling's
-- instant has a started_at before it, or none that is known; a job whose run finished before that instant began
-- before it too. (One that finished before it and began after it contradicts itself, and comes when it is as old
-- as the ceiling.) The candidates are looked at in the order of their ids until there are enough.
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
    SELECT j.id FROM jobs j
    WHERE j.status = 'running' AND (j.status IS NULL OR j.status NOT IN ('done', 'failed'))
        AND j.started_at <= to_timestamp(CAST(:now AS float8) - :ceiling)
        AND j.id > (SELECT id FROM after)
    UNION
    SELECT j.id FROM jobs j
    WHERE j.status = 'running' AND (j.status IS NULL OR j.status NOT IN ('done', 'failed'))
        AND j.started_at IS NULL
        AND j.id > (SELECT id FROM after)
    UNION
    SELECT j.id FROM jobs j
    WHERE j.status = 'running' AND (j.status IS NULL OR j.status NOT IN ('done', 'failed'))
        AND j.started_at >= to_timestamp(253402300800)
        AND j.id > (SELECT id FROM after)
    UNION
    SELECT j.id FROM agent_runs r
    JOIN jobs j ON j.id = r.job_id
    WHERE r.finished_at > to_timestamp(CAST(:now AS float8) - :ceiling)
        AND r.finished_at <= to_timestamp(CAST(:now AS float8) - :grace)
        AND j.status = 'running' AND (j.status IS NULL OR j.status NOT IN ('done', 'failed'))
        AND j.id > (SELECT id FROM after)
)
SELECT job, run, task, stage, status, attempt, version, created_at, started_at, run_started_at, finished_at,
       exit_code, pid
FROM (SELECT id FROM candidate ORDER BY id) c
JOIN job USING (id)
WHERE ended <= to_timestamp(CAST(:now AS float8) - :grace)
        AND (ended > to_timestamp(CAST(:now AS float8) - :ceiling) OR coalesce(began, started, created) IS NULL)
    OR coalesce(began, started, created) <= to_timestamp(CAST(:now AS float8) - :ceiling)
ORDER BY id
LIMIT :limit
