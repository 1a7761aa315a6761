-- What readers ask of PostgreSQL alone. Lists of ids and states come as one JSON array.

-- name: tickets_by_id
SELECT seq, nr, id, digest, body, at, event, by, text, data, event_key
FROM tickets WHERE id IN (SELECT value FROM json_array_elements_text(?1::text::json));

-- name: tickets_after
-- In the order in which they were committed, which is that of `seq`, numbered by the one writer:
-- ids and day numbers are made before the commit, and a reader between two commits could miss one.
SELECT seq, nr, id, digest, body, at, event, by, text, data, event_key
FROM tickets
WHERE seq > CASE WHEN ?1::text = '' THEN 0 ELSE (SELECT seq FROM tickets WHERE id = ?1::text) END
ORDER BY seq LIMIT ?2;

-- name: public_before
-- By the index of these very octets, see its migration.
SELECT seq, nr, id, digest, body, at, event, by, text, data, event_key
FROM tickets WHERE position('\x227075626c6963223a74727565'::bytea IN body) > 0 AND nr < ?1 ORDER BY nr DESC LIMIT ?2;

-- name: events_of
SELECT stream, seq, version, at, event, by, text, data, key FROM events
WHERE stream IN (SELECT value::bigint FROM json_array_elements_text(?1::text::json)) ORDER BY stream, version;

-- name: incident_events
-- Without the repetitions of the ladder's rungs, but for the last of them and those asked for.
WITH asked(stream, upto) AS (
    SELECT incidents.seq, incidents.version - 16
    FROM incidents
    WHERE incidents.seq IN (SELECT value::bigint FROM json_array_elements_text(?1::text::json))
), kept(seq) AS (
    SELECT e.seq FROM asked JOIN events AS e ON e.stream = asked.stream
    WHERE e.event != 'escalated'
    UNION
    SELECT e.seq FROM asked JOIN events AS e ON e.stream = asked.stream
    WHERE e.version > asked.upto
    UNION
    SELECT (
        SELECT e.seq FROM events AS e
        WHERE e.stream = asked.stream AND e.event = 'escalated'
            AND rung_of(e.data) = rung.to_whom
        ORDER BY e.version LIMIT 1
    )
    FROM asked, (
        SELECT to_whom FROM (VALUES ('desk'), ('sms'), ('phone'), ('email'), ('duty')) AS v(to_whom)
    ) AS rung
    UNION
    SELECT value::bigint FROM json_array_elements_text(?2::text::json)
)
SELECT stream, seq, version, at, event, by, text, data, key FROM events
WHERE seq IN (SELECT seq FROM kept) AND stream IN (SELECT stream FROM asked) ORDER BY stream, version;

-- name: reports_by_ticket
SELECT reports.ticket, incidents.id
FROM reports JOIN incidents ON incidents.seq = reports.incident
WHERE reports.ticket IN (SELECT value::bigint FROM json_array_elements_text(?1::text::json)) ORDER BY reports.seq;

-- name: reports_by_incident
SELECT reports.incident, tickets.id, tickets.nr
FROM reports JOIN tickets ON tickets.seq = reports.ticket
WHERE reports.incident IN (SELECT value::bigint FROM json_array_elements_text(?1::text::json)) ORDER BY reports.seq;

-- name: deliveries_rare
SELECT seq, id, destination, lane, type, subject, ticket_id, event_seq, created_at, attempts,
    due_at, data, last_error, state, why
FROM outbox WHERE state IN ('leased', 'dead', 'discarded') AND state = ?1 ORDER BY seq LIMIT ?2;

-- name: dead
SELECT seq, id, destination, lane, type, subject, ticket_id, event_seq, created_at, attempts,
    due_at, data, last_error, state, why
FROM outbox WHERE state IN ('leased', 'dead', 'discarded') AND state = 'dead' AND seq > ?1 ORDER BY seq LIMIT ?2;

-- name: attached
SELECT sha256 FROM attachments
WHERE sha256 IN (SELECT value FROM json_array_elements_text(?1::text::json));

-- name: not_handed_over
-- Of tickets with their destinations, those whose first event waits, or was given up.
WITH asked AS (
    SELECT (value ->> 0)::bigint AS stream, value ->> 1 AS destination
    FROM json_array_elements(?1::text::json)
)
SELECT d.stream
FROM asked
JOIN deliveries AS d ON d.destination = asked.destination AND d.stream = asked.stream
WHERE d.turn IS NOT NULL AND d.event_seq = d.stream
UNION
SELECT d.stream FROM deliveries AS d JOIN asked
    ON d.destination = asked.destination AND d.stream = asked.stream
WHERE d.state IN ('dead', 'discarded') AND d.event_seq = d.stream;

-- name: shared
SELECT version, value FROM shared WHERE name = ?1;

-- name: head
SELECT seq FROM heads;

-- name: incidents_moved
-- Incidents to which something has happened since, as they are now.
SELECT id, version, state, ladder_at FROM incidents
WHERE seq IN (SELECT stream FROM events WHERE seq > ?1);
