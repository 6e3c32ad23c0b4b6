-- What the watchdog knows of every job, for the statements to choose from. Beside the contract's columns: id and
-- run_id as the tables have them; and created, started, began and ended, the instants that can be reckoned
-- with (finite, after 1970, before the year 10000), NULL for all others.
--
-- The job's run is its newest that started no earlier than the job did. A run whose start is not known counts
-- as the newest while no later run of the job has started, unless it was over before the job started: a run
-- that is only about to start must not be taken for none. The newest is that with the largest id: a clock that was
-- set back makes an older run begin later. ("+ 0": else a planner that takes a job to have many runs looks for them
-- in the order of all runs' ids, from the last on.)
known_job AS NOT MATERIALIZED (
    SELECT id, task_id, status, attempt, created_at, started_at,
           CASE WHEN created_at > to_timestamp(0) AND created_at < to_timestamp(253402300800) THEN created_at END
               AS created,
           CASE WHEN started_at > to_timestamp(0) AND started_at < to_timestamp(253402300800) THEN started_at END
               AS started
    FROM jobs
), known_run AS NOT MATERIALIZED (
    SELECT id, job_id, pid, exit_code, started_at, finished_at,
           CASE WHEN started_at > to_timestamp(0) AND started_at < to_timestamp(253402300800) THEN started_at END
               AS began,
           CASE WHEN finished_at > to_timestamp(0) AND finished_at < to_timestamp(253402300800) THEN finished_at END
               AS ended
    FROM agent_runs
), job AS NOT MATERIALIZED (
    SELECT CAST(j.id AS text) AS job, CAST(r.id AS text) AS run, t.ref AS task, t.stage, j.status, j.attempt,
           CAST(json_build_array(j.status, j.attempt, extract(epoch FROM j.started_at), r.id,
               extract(epoch FROM r.finished_at)) AS text) AS version,
           CAST(extract(epoch FROM j.created_at) AS double precision) AS created_at,
           CAST(extract(epoch FROM j.started_at) AS double precision) AS started_at,
           CAST(extract(epoch FROM r.started_at) AS double precision) AS run_started_at,
           CAST(extract(epoch FROM r.finished_at) AS double precision) AS finished_at,
           r.exit_code, r.pid,
           j.id, r.id AS run_id, j.created, j.started, r.began, r.ended
    FROM known_job j
    LEFT JOIN LATERAL (
        SELECT r.* FROM known_run r
        WHERE r.job_id = j.id AND CASE
            WHEN r.began IS NOT NULL THEN j.started IS NULL OR r.began >= j.started
            ELSE (j.started IS NULL OR r.ended IS NULL OR r.ended >= j.started)
                AND NOT EXISTS (
                    SELECT 1 FROM known_run n WHERE n.job_id = j.id AND n.id > r.id AND n.began IS NOT NULL)
        END
        ORDER BY r.id + 0 DESC
        LIMIT 1
    ) r ON true
    LEFT JOIN tasks t ON t.id = j.task_id
)
