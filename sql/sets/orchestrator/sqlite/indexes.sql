-- The indexes that make a pass cheap. The first holds the open jobs alone and stays small however long the
-- history is; the second is the foreign key's, which most orchestrators have.
CREATE INDEX jobs_open ON jobs (status, started_at) WHERE status IS NULL OR status NOT IN ('done', 'failed');
CREATE INDEX agent_runs_job_id ON agent_runs (job_id);
