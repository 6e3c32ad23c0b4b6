-- The running jobs that age alone would reap: their run finished a grace ago or more, or they began a ceiling ago
-- or more. Each is met by an arm of "candidate" that an index answers: a job that began before the ceiling's
-- instant has a started_at before it, or none that is known; a job whose run finished before that instant began
-- before it too. (One that finished before it and began after it contradicts itself, and comes when it is as old
-- as the ceiling.) The candidates are looked at in the order of their ids until there are enough.
--
-- The way is the same whatever the planner believes of the tables. Each OFFSET 0 is a fence that it takes no condition
-- across: what is behind it is found by the one index that fits. What it would have to guess is counted: jobs whose
-- run has finished are sought among the runs, or among the running jobs where those are fewer.
WITH
-- include job.part.sql
, after AS MATERIALIZED (
    SELECT CASE WHEN text = '' THEN -9223372036854775808 ELSE
        CASE WHEN text ~ '^(0|-?[1-9][0-9]{0,18})$' THEN
        CASE WHEN CAST(text AS numeric) BETWEEN -9223372036854775808 AND 9223372036854775807
        THEN CAST(text AS bigint) END END
        END AS id
    FROM (SELECT CAST(:after AS text) AS text) a
), running AS NOT MATERIALIZED (
    SELECT id, started_at FROM jobs
    WHERE status = 'running' AND (status IS NULL OR status NOT IN ('done', 'failed'))
), finished AS NOT MATERIALIZED (
    SELECT job_id, finished_at FROM agent_runs
    WHERE finished_at > to_timestamp(CAST(:now AS float8) - :ceiling)
        AND finished_at <= to_timestamp(CAST(:now AS float8) - :grace)
), fewer AS MATERIALIZED (
    -- Whether no more jobs are running than runs have finished. Beyond ten thousand it is not worth the counting.
    SELECT NOT EXISTS (
        SELECT FROM running ORDER BY started_at
        OFFSET (SELECT count(*) FROM (SELECT FROM finished ORDER BY finished_at LIMIT 10000) f)
    ) AS running
), candidate AS MATERIALIZED (
    SELECT id FROM running WHERE started_at <= to_timestamp(CAST(:now AS float8) - :ceiling)
    UNION
    SELECT id FROM running WHERE started_at IS NULL
    UNION
    SELECT id FROM running WHERE started_at >= to_timestamp(253402300800)
    UNION
    SELECT j.id FROM (SELECT job_id FROM finished OFFSET 0) r
    CROSS JOIN LATERAL (SELECT id, status FROM jobs WHERE id = r.job_id OFFSET 0) j
    WHERE j.status = 'running' AND NOT (SELECT running FROM fewer)
    UNION
    SELECT j.id FROM (SELECT id FROM running OFFSET 0) j
    CROSS JOIN LATERAL (SELECT finished_at FROM agent_runs WHERE job_id = j.id OFFSET 0) r
    WHERE r.finished_at > to_timestamp(CAST(:now AS float8) - :ceiling)
        AND r.finished_at <= to_timestamp(CAST(:now AS float8) - :grace)
        AND (SELECT running FROM fewer)
)
SELECT job, run, task, stage, status, attempt, version, created_at, started_at, run_started_at, finished_at,
       exit_code, pid
FROM (SELECT id FROM candidate WHERE id > (SELECT id FROM after) ORDER BY id) c
CROSS JOIN LATERAL (SELECT * FROM job WHERE job.id = c.id OFFSET 0) j
WHERE ended <= to_timestamp(CAST(:now AS float8) - :grace)
        AND (ended > to_timestamp(CAST(:now AS float8) - :ceiling) OR coalesce(began, started, created) IS NULL)
    OR coalesce(began, started, created) <= to_timestamp(CAST(:now AS float8) - :ceiling)
ORDER BY c.id
LIMIT :limit
