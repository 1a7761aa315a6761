-- What readers ask, of either engine.

-- name: ticket_by_nr
SELECT seq, nr, id, digest, body, at, event, by, text, data, event_key
FROM tickets WHERE nr = ?1;

-- name: tickets_numbered
SELECT seq, nr, id, digest, body, at, event, by, text, data, event_key
FROM tickets WHERE nr > ?1 AND nr < ?2 ORDER BY nr LIMIT ?3;

-- name: tickets_before
SELECT seq, nr, id, digest, body, at, event, by, text, data, event_key
FROM tickets WHERE nr < ?1 ORDER BY nr DESC LIMIT ?2;

-- name: tickets_of_thread
SELECT seq, nr, id, digest, body, at, event, by, text, data, event_key
FROM tickets
WHERE channel = ?1 AND account = ?2 AND thread = ?3 AND received_at >= ?4
ORDER BY received_at DESC, seq DESC LIMIT ?5;

-- name: raw
SELECT raw, raw_type FROM tickets WHERE id = ?1;

-- name: incident_by_id
SELECT id, seq, state, desk, rung, rung_from, ladder_at, body FROM incidents WHERE id = ?1;

-- name: incidents_in_state
SELECT id, seq, state, desk, rung, rung_from, ladder_at, body FROM incidents
WHERE state = ?1 AND id > ?2 ORDER BY id LIMIT ?3;

-- name: incidents_at_desk
SELECT id, seq, state, desk, rung, rung_from, ladder_at, body FROM incidents
WHERE desk = ?4 AND state = ?1 AND id > ?2 ORDER BY id LIMIT ?3;

-- name: newest_incidents
SELECT id, seq, state, desk, rung, rung_from, ladder_at, body FROM incidents
WHERE state = ?1 ORDER BY id DESC LIMIT ?2;

-- name: ladder_due
SELECT id, seq, state, desk, rung, rung_from, ladder_at, body FROM incidents
WHERE ladder_at <= ?1 ORDER BY ladder_at, seq LIMIT ?2;

-- name: ladder_next
SELECT min(ladder_at) FROM incidents WHERE ladder_at IS NOT NULL;

-- name: next_due
SELECT ready_at FROM deliveries
WHERE destination = ?1 AND lane = ?2 AND turn = 1 ORDER BY ready_at LIMIT 1;

-- name: deliveries_common
SELECT seq, id, destination, lane, type, subject, ticket_id, event_seq, created_at, attempts,
    due_at, data, last_error, state, why
FROM outbox WHERE state = ?1 ORDER BY seq LIMIT ?2;

-- name: delivery
SELECT seq, id, destination, lane, type, subject, ticket_id, event_seq, created_at, attempts,
    due_at, data, last_error, state, why
FROM outbox WHERE id = ?1;

-- name: last_delivery
SELECT coalesce(max(seq), 0) FROM deliveries;

-- name: told_of
SELECT event_seq FROM deliveries WHERE seq >= ?1 ORDER BY seq LIMIT 1;

-- name: deliveries_from
-- An event has a few deliveries, one behind the other.
SELECT seq, id, destination, lane, type, subject, ticket_id, event_seq, created_at, attempts,
    due_at, data, last_error, state, why
FROM outbox WHERE seq >= ?1 AND seq < ?1 + 100 AND event_seq = ?2 ORDER BY seq;

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

-- name: held_heads
-- Without the messages themselves, which may be large.
SELECT id, at, channel, account, reason, raw_type, state, why FROM quarantine
WHERE state = 'held' AND (at, id) > (?2, ?3) ORDER BY at, id LIMIT ?1;

-- name: counters
SELECT name, value FROM counters;

-- name: secret
SELECT value FROM meta WHERE key = 'secret';

-- name: watch_upto
SELECT upto FROM watch;

-- name: limits_since
SELECT seq, received_at, body FROM tickets
WHERE seq > ?1 ORDER BY seq LIMIT ?2;

-- name: steps_since
SELECT seq, stream, at, event FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2;

-- name: watched
SELECT tickets.seq, nr, id, digest, body, tickets.at, event, by, text, data, event_key
FROM watched JOIN tickets ON tickets.seq = watched.ticket
WHERE watched.at <= ?1 ORDER BY watched.at, watched.ticket LIMIT ?2;

-- name: known
SELECT nr FROM tickets WHERE channel = ?1 AND account = ?2 AND key = ?3;
