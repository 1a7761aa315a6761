-- What readers ask of the console's users, sessions and audit, of either engine.

-- name: user
SELECT name, role, password, created_at, changed_at FROM console_users WHERE name = ?1;

-- name: users
SELECT name, role, password, created_at, changed_at FROM console_users ORDER BY name;

-- name: console_session
SELECT u.name, u.role, u.password, u.created_at, u.changed_at, s.opened_at, s.seen_at
FROM console_sessions AS s JOIN console_users AS u ON u.name = s.name WHERE s.digest = ?1;

-- name: routes_versions
SELECT number, at, by, why, text, in_force_at FROM routes_versions
WHERE number < ?1 ORDER BY number DESC LIMIT ?2;

-- name: audit_since
-- Entries are written in the order of their time.
SELECT seq FROM audit WHERE at >= ?1 ORDER BY at, seq LIMIT 1;

-- name: audit
SELECT seq, at, by, remote, action, subject, detail FROM audit
WHERE seq < ?1 AND seq >= ?2 ORDER BY seq DESC LIMIT ?3;

-- name: audit_of_user
SELECT seq, at, by, remote, action, subject, detail FROM audit
WHERE seq < ?1 AND seq >= ?2 AND by = ?4 ORDER BY seq DESC LIMIT ?3;

-- name: audit_of_action
SELECT seq, at, by, remote, action, subject, detail FROM audit
WHERE seq < ?1 AND seq >= ?2 AND action = ?4 ORDER BY seq DESC LIMIT ?3;

-- name: audit_of_both
SELECT seq, at, by, remote, action, subject, detail FROM audit
WHERE seq < ?1 AND seq >= ?2 AND by = ?4 AND action = ?5 ORDER BY seq DESC LIMIT ?3;
