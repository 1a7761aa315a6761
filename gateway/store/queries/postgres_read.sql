-- What readers ask of PostgreSQL. Lists of ids and states come as one JSON array.

-- name: ticket_by_nr
SELECT seq, nr, id, digest, body, at, event, by, text, data, event_key
FROM tickets WHERE nr = $1;

-- name: tickets_by_id
SELECT seq, nr, id, digest, body, at, event, by, text, data, event_key
FROM tickets WHERE id IN (SELECT value FROM json_array_elements_text($1::text::json));

-- name: tickets_after
-- In the order in which they were committed, which is that of `seq`, numbered by the one writer:
-- ids and day numbers are made before the commit, and a reader between two commits could miss one.
SELECT seq, nr, id, digest, body, at, event, by, text, data, event_key
FROM tickets
WHERE seq > CASE WHEN $1::text = '' THEN 0 ELSE (SELECT seq FROM tickets WHERE id = $1::text) END
ORDER BY seq LIMIT $2;

-- name: tickets_numbered
SELECT seq, nr, id, digest, body, at, event, by, text, data, event_key
FROM tickets WHERE nr > $1 AND nr < $2 ORDER BY nr LIMIT $3;

-- name: tickets_of_thread
SELECT seq, nr, id, digest, body, at, event, by, text, data, event_key
FROM tickets
WHERE channel = $1 AND account = $2 AND thread = $3 AND received_at >= $4
ORDER BY received_at DESC, seq DESC LIMIT $5;

-- name: raw
SELECT raw, raw_type FROM tickets WHERE id = $1;

-- name: events_of
SELECT stream, seq, version, at, event, by, text, data, key FROM events
WHERE stream IN (SELECT value::bigint FROM json_array_elements_text($1::text::json)) ORDER BY stream, version;

-- name: incident_events
-- Without the repetitions of the ladder's rungs, but for the last of them and those asked for.
WITH asked(stream, upto) AS (
    SELECT incidents.seq, incidents.version - 16
    FROM incidents
    WHERE incidents.seq IN (SELECT value::bigint FROM json_array_elements_text($1::text::json))
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
    SELECT value::bigint FROM json_array_elements_text($2::text::json)
)
SELECT stream, seq, version, at, event, by, text, data, key FROM events
WHERE seq IN (SELECT seq FROM kept) AND stream IN (SELECT stream FROM asked) ORDER BY stream, version;

-- name: reports_by_ticket
SELECT reports.ticket, incidents.id
FROM reports JOIN incidents ON incidents.seq = reports.incident
WHERE reports.ticket IN (SELECT value::bigint FROM json_array_elements_text($1::text::json)) ORDER BY reports.seq;

-- name: reports_by_incident
SELECT reports.incident, tickets.id, tickets.nr
FROM reports JOIN tickets ON tickets.seq = reports.ticket
WHERE reports.incident IN (SELECT value::bigint FROM json_array_elements_text($1::text::json)) ORDER BY reports.seq;

-- name: incident_by_id
SELECT id, seq, state, desk, rung, rung_from, ladder_at, body FROM incidents WHERE id = $1;

-- name: incidents_in_state
SELECT id, seq, state, desk, rung, rung_from, ladder_at, body FROM incidents
WHERE state = $1 AND id > $2 ORDER BY id LIMIT $3;

-- name: incidents_at_desk
SELECT id, seq, state, desk, rung, rung_from, ladder_at, body FROM incidents
WHERE desk = $4 AND state = $1 AND id > $2 ORDER BY id LIMIT $3;

-- name: ladder_due
SELECT id, seq, state, desk, rung, rung_from, ladder_at, body FROM incidents
WHERE ladder_at <= $1 ORDER BY ladder_at, seq LIMIT $2;

-- name: ladder_next
SELECT min(ladder_at) FROM incidents WHERE ladder_at IS NOT NULL;

-- name: next_due
SELECT ready_at FROM deliveries
WHERE destination = $1 AND lane = $2 AND turn = 1 ORDER BY ready_at LIMIT 1;

-- name: deliveries_common
SELECT seq, id, destination, lane, type, subject, ticket_id, event_seq, created_at, attempts,
    due_at, data, last_error, state, why
FROM outbox WHERE state = $1 ORDER BY seq LIMIT $2;

-- name: deliveries_rare
SELECT seq, id, destination, lane, type, subject, ticket_id, event_seq, created_at, attempts,
    due_at, data, last_error, state, why
FROM outbox WHERE state IN ('leased', 'dead', 'discarded') AND state = $1 ORDER BY seq LIMIT $2;

-- name: delivery
SELECT seq, id, destination, lane, type, subject, ticket_id, event_seq, created_at, attempts,
    due_at, data, last_error, state, why
FROM outbox WHERE id = $1;

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
SELECT id, at, channel, account, reason, raw, raw_type, state, why FROM quarantine WHERE id = $1;

-- name: quarantined
SELECT id, at, channel, account, reason, raw, raw_type, state, why FROM quarantine
WHERE state = $1 ORDER BY at, id LIMIT $2;

-- name: counters
SELECT name, value FROM counters;

-- name: secret
SELECT value FROM meta WHERE key = 'secret';

-- name: attached
SELECT sha256 FROM attachments
WHERE sha256 IN (SELECT value FROM json_array_elements_text($1::text::json));

-- name: watch_upto
SELECT upto FROM watch;

-- name: limits_since
SELECT seq, received_at, body FROM tickets
WHERE seq > $1 ORDER BY seq LIMIT $2;

-- name: steps_since
SELECT seq, stream, at, event FROM events WHERE seq > $1 ORDER BY seq LIMIT $2;

-- name: watched
SELECT tickets.seq, nr, id, digest, body, tickets.at, event, by, text, data, event_key
FROM watched JOIN tickets ON tickets.seq = watched.ticket
WHERE watched.at <= $1 ORDER BY watched.at, watched.ticket LIMIT $2;

-- name: not_handed_over
-- Of tickets with their destinations, those whose first event waits, or was given up.
WITH asked AS (
    SELECT (value ->> 0)::bigint AS stream, value ->> 1 AS destination
    FROM json_array_elements($1::text::json)
)
SELECT d.stream
FROM asked
JOIN deliveries AS d ON d.destination = asked.destination AND d.stream = asked.stream
WHERE d.turn IS NOT NULL AND d.event_seq = d.stream
UNION
SELECT d.stream FROM deliveries AS d JOIN asked
    ON d.destination = asked.destination AND d.stream = asked.stream
WHERE d.state IN ('dead', 'discarded') AND d.event_seq = d.stream;

-- name: known
SELECT 1 FROM tickets WHERE channel = $1 AND account = $2 AND key = $3;

-- name: shared
SELECT version, value FROM shared WHERE name = $1;

-- name: head
SELECT seq FROM heads;

-- name: incidents_moved
-- Incidents to which something has happened since, as they are now.
SELECT id, version, state, ladder_at FROM incidents
WHERE seq IN (SELECT stream FROM events WHERE seq > $1);
