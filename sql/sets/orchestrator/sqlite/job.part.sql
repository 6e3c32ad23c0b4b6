-- What the watchdog knows of every job, for the statements to choose from. Beside the contract's columns: id and
-- run_id as the tables have them; and created, started, began and ended, the instants that can be reckoned
-- with (Unix seconds; text is read as a date or, with eight
-- digits and more, as Unix seconds; after 1970, before the year 10000), NULL for all others.
--
-- The job's run is its newest that started no earlier than the job did. A run whose start is not known counts
-- as the newest while no later run of the job has started, unless it was over before the job started: a run
-- that is only about to start must not be taken for none. The newest is that with the largest id: a clock that was
-- set back makes an older run begin later.
known_job AS NOT MATERIALIZED (
    SELECT *, CASE WHEN created_s > 0 AND created_s < 253402300800 THEN created_s END AS created,
           CASE WHEN started_s > 0 AND started_s < 253402300800 THEN started_s END AS started
    FROM (
        SELECT id, task_id, status, attempt, created_at, started_at,
               CASE
                   WHEN typeof(created_at) IN ('integer', 'real') THEN created_at
                   WHEN created_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*' THEN unixepoch(created_at, 'subsec')
                   WHEN created_at GLOB '[1-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]*' AND created_at NOT GLOB '*[^0-9.]*'
                       THEN CAST(created_at AS REAL)
               END AS created_s,
               CASE
                   WHEN typeof(started_at) IN ('integer', 'real') THEN started_at
                   WHEN started_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*' THEN unixepoch(started_at, 'subsec')
                   WHEN started_at GLOB '[1-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]*' AND started_at NOT GLOB '*[^0-9.]*'
                       THEN CAST(started_at AS REAL)
               END AS started_s
        FROM jobs
    )
), known_run AS NOT MATERIALIZED (
    SELECT *, CASE WHEN began_s > 0 AND began_s < 253402300800 THEN began_s END AS began,
           CASE WHEN ended_s > 0 AND ended_s < 253402300800 THEN ended_s END AS ended
    FROM (
        SELECT id, job_id, pid, exit_code, started_at, finished_at,
               CASE
                   WHEN typeof(started_at) IN ('integer', 'real') THEN started_at
                   WHEN started_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*' THEN unixepoch(started_at, 'subsec')
                   WHEN started_at GLOB '[1-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]*' AND started_at NOT GLOB '*[^0-9.]*'
                       THEN CAST(started_at AS REAL)
               END AS began_s,
               CASE
                   WHEN typeof(finished_at) IN ('integer', 'real') THEN finished_at
                   WHEN finished_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*' THEN unixepoch(finished_at, 'subsec')
                   WHEN finished_at GLOB '[1-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]*' AND finished_at NOT GLOB '*[^0-9.]*'
                       THEN CAST(finished_at AS REAL)
               END AS ended_s
        FROM agent_runs
    )
), job AS NOT MATERIALIZED (
    SELECT CAST(j.id AS TEXT) AS job, CAST(r.id AS TEXT) AS run, t.ref AS task, t.stage, j.status, j.attempt,
           quote(j.status) || ' ' || quote(j.attempt) || ' ' || quote(j.started_at) || ' ' || quote(r.id) || ' '
               || quote(r.finished_at) AS version,
           coalesce(j.created, j.created_at) AS created_at,
           coalesce(j.started, j.started_at) AS started_at,
           coalesce(r.began, r.started_at) AS run_started_at,
           coalesce(r.ended, r.finished_at) AS finished_at,
           r.exit_code, r.pid,
           j.id, r.id AS run_id, j.created, j.started, r.began, r.ended
    FROM known_job j
    LEFT JOIN known_run r ON r.id = (
        SELECT r.id FROM known_run r
        WHERE r.job_id = j.id AND CASE
            WHEN r.began IS NOT NULL THEN j.started IS NULL OR r.began >= j.started
            ELSE (j.started IS NULL OR r.ended IS NULL OR r.ended >= j.started)
                AND NOT EXISTS (
                    SELECT 1 FROM known_run n WHERE n.job_id = j.id AND n.id > r.id AND n.began IS NOT NULL)
        END
        ORDER BY r.id DESC
        LIMIT 1
    )
    LEFT JOIN tasks t ON t.id = j.task_id
)
