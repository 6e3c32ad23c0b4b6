-- How many jobs there are of each status. Those that are done or failed are the table's history and are not
-- counted: the index of the open jobs answers this alone.
SELECT status, count(*) AS count
FROM jobs
WHERE status IS NULL OR status NOT IN ('done', 'failed')
GROUP BY status
