-- What the writer asks of the console's users, sessions and audit, of either engine.

-- name: add_user
INSERT INTO console_users (name, role, password, created_at, changed_at)
VALUES (?1, ?2, ?3, ?4, ?4) ON CONFLICT (name) DO NOTHING;

-- name: change_user
UPDATE console_users
SET role = coalesce(?2, role), password = coalesce(?3, password), changed_at = ?4
WHERE name = ?1;

-- name: remove_user
DELETE FROM console_users WHERE name = ?1;

-- name: console_end_sessions
DELETE FROM console_sessions WHERE name = ?1;

-- name: console_end_session
DELETE FROM console_sessions WHERE digest = ?1;

-- name: console_end_old_sessions
DELETE FROM console_sessions WHERE opened_at < ?1 OR seen_at < ?2;

-- name: console_open_session
-- Only for who has the password still that was looked at.
INSERT INTO console_sessions (digest, name, opened_at, seen_at)
SELECT ?1, name, ?4, ?4 FROM console_users WHERE name = ?2 AND password = ?3;

-- name: console_see_session
UPDATE console_sessions SET seen_at = ?2 WHERE digest = ?1 AND seen_at < ?2;

-- name: newest_routes
SELECT number, text FROM routes_versions ORDER BY number DESC LIMIT 1;

-- name: keep_routes
INSERT INTO routes_versions (number, at, by, why, text, in_force_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6);

-- name: routes_in_force
UPDATE routes_versions SET in_force_at = ?2 WHERE number = ?1;

-- name: note
INSERT INTO audit (at, by, remote, action, subject, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6);
