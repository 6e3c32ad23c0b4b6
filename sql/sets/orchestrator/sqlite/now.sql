-- The database's instant: SQLite has no clock but its host's.
SELECT unixepoch('now', 'subsec') AS now
