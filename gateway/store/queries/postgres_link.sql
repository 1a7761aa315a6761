-- What every connection to PostgreSQL asks at its beginning.

-- name: session
SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid();

-- name: end_session
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ?1 AND backend_start = ?2;
