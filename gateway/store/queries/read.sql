-- What readers ask of SQLite. Lists of ids and states come as one JSON array.

-- name: ticket_by_nr
SELECT nr, id, digest, body FROM tickets WHERE nr = ?1;

-- name: tickets_by_id
SELECT nr, id, digest, body FROM tickets WHERE id IN (SELECT value FROM json_each(?1));

-- name: tickets_after
-- In the order in which they were committed, as their first events are numbered by the one writer:
-- ids and day numbers are made before the commit, and a reader between two commits could miss one.
SELECT t.nr, t.id, t.digest, t.body FROM events e JOIN tickets t ON t.id = e.stream
WHERE e.version = 1 AND e.seq > CASE WHEN ?1 = '' THEN 0
    ELSE (SELECT seq FROM events WHERE stream = ?1 AND version = 1) END
ORDER BY e.seq LIMIT ?2;

-- name: tickets_of_thread
SELECT nr, id, digest, body FROM tickets
WHERE channel = ?1 AND account = ?2 AND thread = ?3 AND received_at >= ?4
ORDER BY received_at DESC, nr DESC LIMIT ?5;

-- name: raw
SELECT raw, raw_type FROM tickets WHERE id = ?1;

-- name: events_of
SELECT seq, stream, version, at, event, by, text, data, key FROM events
WHERE stream IN (SELECT value FROM json_each(?1)) ORDER BY stream, version;

-- name: reports_by_ticket
SELECT ticket, incident FROM reports
WHERE ticket IN (SELECT value FROM json_each(?1)) ORDER BY seq;

-- name: reports_by_incident
SELECT reports.incident, reports.ticket, tickets.nr
FROM reports JOIN tickets ON tickets.id = reports.ticket
WHERE reports.incident IN (SELECT value FROM json_each(?1)) ORDER BY reports.seq;

-- name: incident_by_id
SELECT id, state, desk, rung, rung_from, ladder_at, body FROM incidents WHERE id = ?1;

-- name: incidents_in_state
SELECT id, state, desk, rung, rung_from, ladder_at, body FROM incidents
WHERE state = ?1 AND id > ?2 ORDER BY id LIMIT ?3;

-- name: incidents_at_desk
SELECT id, state, desk, rung, rung_from, ladder_at, body FROM incidents
WHERE desk = ?4 AND state = ?1 AND id > ?2 ORDER BY id LIMIT ?3;

-- name: ladder_due
SELECT id, state, desk, rung, rung_from, ladder_at, body FROM incidents
WHERE ladder_at <= ?1 ORDER BY ladder_at, id LIMIT ?2;

-- name: ladder_next
SELECT min(ladder_at) FROM incidents WHERE ladder_at IS NOT NULL;

-- name: next_due
SELECT ready_at FROM deliveries
WHERE destination = ?1 AND lane = ?2 AND turn = 1 ORDER BY ready_at LIMIT 1;

-- name: deliveries_common
SELECT seq, id, destination, lane, type, stream, coalesce(ticket, stream), event_seq,
    created_at, attempts, due_at, data, last_error, state, why
FROM deliveries WHERE state = ?1 ORDER BY seq LIMIT ?2;

-- name: deliveries_rare
SELECT seq, id, destination, lane, type, stream, coalesce(ticket, stream), event_seq,
    created_at, attempts, due_at, data, last_error, state, why
FROM deliveries WHERE rare = ?1 ORDER BY seq LIMIT ?2;

-- name: delivery
SELECT seq, id, destination, lane, type, stream, coalesce(ticket, stream), event_seq,
    created_at, attempts, due_at, data, last_error, state, why
FROM deliveries WHERE id = ?1;

-- name: destinations
-- Each is found by one step down the index, however many deliveries wait.
WITH RECURSIVE named(destination) AS (
    SELECT min(destination) FROM deliveries WHERE turn IS NOT NULL
    UNION ALL
    SELECT (
        SELECT min(destination) FROM deliveries
        WHERE turn IS NOT NULL AND destination > named.destination
    )
    FROM named WHERE named.destination IS NOT NULL
)
SELECT destination FROM named WHERE destination IS NOT NULL;

-- name: held
SELECT id, at, channel, account, reason, raw, raw_type, state, why FROM quarantine WHERE id = ?1;

-- name: quarantined
SELECT id, at, channel, account, reason, raw, raw_type, state, why FROM quarantine
WHERE state = ?1 ORDER BY at, id LIMIT ?2;

-- name: counters
SELECT name, value FROM counters;

-- name: secret
SELECT value FROM meta WHERE key = 'secret';
