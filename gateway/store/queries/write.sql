-- What the writer asks, of either engine. Parameters are numbered in the order of the binding.

-- name: ticket_of_key
SELECT nr, id, digest, seq FROM tickets WHERE channel = ?1 AND account = ?2 AND key = ?3;

-- name: incidents_of_ticket
SELECT incidents.id FROM reports JOIN incidents ON incidents.seq = reports.incident
WHERE reports.ticket = ?1 ORDER BY reports.seq;

-- name: add_event
INSERT INTO events (seq, stream, version, at, event, by, text, data, key)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9);

-- name: ticket_version
SELECT seq, coalesce((SELECT max(version) FROM events WHERE stream = tickets.seq), 1)
FROM tickets WHERE id = ?1;

-- name: event_of_key
SELECT 1 FROM events WHERE stream = ?1 AND key = ?2
UNION ALL SELECT 1 FROM tickets WHERE seq = ?1 AND event_key = ?2;

-- name: incident_now
SELECT seq, state, version, desk FROM incidents WHERE id = ?1;

-- name: stepped_since
-- What joins an incident changes none of its state.
SELECT 1 FROM events WHERE stream = ?1 AND version > ?2 AND event != 'joined' LIMIT 1;

-- name: incident_version
UPDATE incidents SET version = ?2 WHERE seq = ?1;

-- name: step_incident
UPDATE incidents
SET version = ?2, state = ?3, desk = ?4, rung = ?5, ladder_at = ?6, rung_from = coalesce(?7, rung_from)
WHERE seq = ?1;

-- name: add_report
INSERT INTO reports (seq, incident, ticket) VALUES (?1, ?2, ?3) ON CONFLICT (incident, ticket) DO NOTHING;

-- name: first_report
SELECT tickets.seq, tickets.id FROM reports JOIN tickets ON tickets.seq = reports.ticket
WHERE reports.incident = ?1 ORDER BY reports.seq LIMIT 1;

-- name: is_waiting
SELECT 1 FROM deliveries WHERE destination = ?1 AND stream = ?2 AND turn IS NOT NULL LIMIT 1;

-- name: promote
-- The next in the line that delivery ?1 stood in gets its turn, unless another has it already.
UPDATE deliveries SET turn = 1
WHERE turn = 0 AND seq = (
    SELECT next.seq
    FROM deliveries AS ended
    JOIN deliveries AS next ON next.destination = ended.destination AND next.stream = ended.stream
    WHERE ended.seq = ?1 AND next.turn IS NOT NULL
    ORDER BY next.turn DESC, next.seq LIMIT 1
);

-- name: dead_delivery
SELECT seq, destination, stream FROM deliveries WHERE id = ?1 AND state = 'dead';

-- name: discard
UPDATE deliveries SET state = 'discarded', why = ?2 WHERE seq = ?1;

-- name: revive
UPDATE deliveries
SET state = 'due', turn = 0, due_at = ?2, ready_at = ?2, attempts = 0, why = ?3
WHERE seq = ?1;

-- name: yield_turn
-- A younger one that is not under way lets the older one go first.
UPDATE deliveries SET turn = 0
WHERE destination = ?1 AND stream = ?2 AND turn = 1 AND state = 'due' AND seq > ?3;

-- name: quarantine
INSERT INTO quarantine (id, at, channel, account, reason, state, why, raw_type, raw)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO NOTHING;

-- name: release
UPDATE quarantine SET state = ?2, why = ?3 WHERE id = ?1 AND state = 'held';

-- name: watch
INSERT INTO watched (ticket, at) VALUES (?1, ?2) ON CONFLICT (ticket) DO UPDATE SET at = excluded.at;

-- name: unwatch
DELETE FROM watched WHERE ticket = ?1;
