-- One job. The transaction has had the write lock of the whole database since it began: nothing is left to lock.
WITH
-- include job.part.sql
, wanted AS MATERIALIZED (
    -- An id that is no canonical integer, or none that fits, names no job.
    SELECT CASE WHEN CAST(CAST(text AS INTEGER) AS TEXT) = text THEN CAST(text AS INTEGER) END AS id
    FROM (SELECT CAST(:job AS TEXT) AS text) w
)
SELECT job, run, task, stage, status, attempt, version, created_at, started_at, run_started_at, finished_at,
       exit_code, pid
FROM job
WHERE id = (SELECT id FROM wanted)
