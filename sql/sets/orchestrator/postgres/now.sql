-- The database's instant.
SELECT CAST(extract(epoch FROM clock_timestamp()) AS double precision) AS now
