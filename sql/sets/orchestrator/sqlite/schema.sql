-- The orchestrator's tables, as far as the watchdog knows them. For the demo and the tests: the watchdog creates
-- none in a database of somebody else.
CREATE TABLE tasks (
    id INTEGER PRIMARY KEY,
    ref TEXT NOT NULL,
    title TEXT,
    stage TEXT,
    updated_at TEXT
);
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    task_id INTEGER REFERENCES tasks (id),
    status TEXT,
    attempt INTEGER,
    created_at TEXT,
    started_at TEXT,
    finished_at TEXT
);
CREATE TABLE agent_runs (
    id INTEGER PRIMARY KEY,
    job_id INTEGER REFERENCES jobs (id),
    pid INTEGER,
    exit_code INTEGER,
    started_at TEXT,
    finished_at TEXT
);
CREATE INDEX jobs_task_id ON jobs (task_id);
