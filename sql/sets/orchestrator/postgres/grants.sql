-- What the watchdog's role needs, and all that it needs. PostgreSQL lets nobody lock a row who may not update a
-- column of it: hence the last line. The watchdog writes no column of agent_runs.
GRANT SELECT ON tasks, jobs, agent_runs TO watchdog;
GRANT UPDATE (status, started_at, finished_at) ON jobs TO watchdog;
GRANT UPDATE (pid) ON agent_runs TO watchdog;
