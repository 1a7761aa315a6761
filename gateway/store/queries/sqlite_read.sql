-- What readers ask of SQLite alone. Lists of ids and states come as one JSON array.

-- name: tickets_by_id
SELECT seq, nr, id, digest, body, at, event, by, text, data, event_key
FROM tickets WHERE id IN (SELECT value FROM json_each(?1));

-- name: tickets_after
-- In the order in which they were committed, which is that of `seq`, numbered by the one writer:
-- ids and day numbers are made before the commit, and a reader between two commits could miss one.
SELECT seq, nr, id, digest, body, at, event, by, text, data, event_key
FROM tickets
WHERE seq > CASE WHEN ?1 = '' THEN 0 ELSE (SELECT seq FROM tickets WHERE id = ?1) END
ORDER BY seq LIMIT ?2;

-- name: public_before
-- By the index of these very octets, see its migration.
SELECT seq, nr, id, digest, body, at, event, by, text, data, event_key
FROM tickets WHERE instr(body, x'227075626c6963223a74727565') > 0 AND nr < ?1 ORDER BY nr DESC LIMIT ?2;

-- name: events_of
SELECT stream, seq, version, at, event, by, text, data, key FROM events
WHERE stream IN (SELECT value FROM json_each(?1)) ORDER BY stream, version;

-- name: incident_events
-- Without the repetitions of the ladder's rungs, but for the last of them and those asked for.
WITH asked(stream, upto) AS (
    SELECT incidents.seq, incidents.version - 16
    FROM json_each(?1) AS given JOIN incidents ON incidents.seq = given.value
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
            AND CAST(e.data AS TEXT) ->> '$.to' = rung.to_whom
        ORDER BY e.version LIMIT 1
    )
    FROM asked, (
        SELECT column1 AS to_whom FROM (VALUES ('desk'), ('sms'), ('phone'), ('email'), ('duty'))
    ) AS rung
    UNION
    SELECT value FROM json_each(?2)
)
SELECT stream, seq, version, at, event, by, text, data, key FROM events
WHERE seq IN kept AND stream IN (SELECT stream FROM asked) ORDER BY stream, version;

-- name: reports_by_ticket
SELECT reports.ticket, incidents.id
FROM reports JOIN incidents ON incidents.seq = reports.incident
WHERE reports.ticket IN (SELECT value FROM json_each(?1)) ORDER BY reports.seq;

-- name: reports_by_incident
SELECT reports.incident, tickets.id, tickets.nr
FROM reports JOIN tickets ON tickets.seq = reports.ticket
WHERE reports.incident IN (SELECT value FROM json_each(?1)) ORDER BY reports.seq;

-- name: deliveries_rare
SELECT seq, id, destination, lane, type, subject, ticket_id, event_seq, created_at, attempts,
    due_at, data, last_error, state, why
FROM outbox WHERE rare = ?1 ORDER BY seq LIMIT ?2;

-- name: dead
SELECT seq, id, destination, lane, type, subject, ticket_id, event_seq, created_at, attempts,
    due_at, data, last_error, state, why
FROM outbox WHERE rare = 'dead' AND seq > ?1 ORDER BY seq LIMIT ?2;

-- name: attached
SELECT value FROM json_each(?1) WHERE value IN (SELECT sha256 FROM attachments);

-- name: not_handed_over
-- Of tickets with their destinations, those whose first event waits, or was given up.
SELECT d.stream
FROM json_each(?1) AS asked
JOIN deliveries AS d ON d.destination = asked.value ->> 1 AND d.stream = asked.value ->> 0
WHERE d.turn IS NOT NULL AND d.event_seq = d.stream
UNION
SELECT d.stream FROM deliveries AS d
WHERE d.rare IN ('dead', 'discarded') AND d.event_seq = d.stream AND (d.stream, d.destination)
    IN (SELECT asked.value ->> 0, asked.value ->> 1 FROM json_each(?1) AS asked);
