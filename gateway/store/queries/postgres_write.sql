-- What the writer asks of PostgreSQL alone. Lists come as JSON arrays or, where many rows are written, as
-- an array for each column.

-- name: heads
-- Waits for whoever else writes, and sees what they have written: the row is read again once it is
-- free.
SELECT seq, delivery FROM heads FOR UPDATE;

-- name: introduce
INSERT INTO commits (writer, mark) VALUES (?1, 0) ON CONFLICT (writer) DO NOTHING;

-- name: last_mark
-- Refused while the transaction that wrote it last is under way still.
SELECT mark FROM commits WHERE writer = ?1 FOR UPDATE NOWAIT;

-- name: last_number
SELECT last FROM numbers WHERE day = ?1::bigint;

-- name: add_tickets
INSERT INTO tickets (seq, nr, id, channel, account, key, thread, received_at, digest,
    at, event, by, text, data, event_key, body, raw_type, raw)
SELECT * FROM unnest(?1::bigint[], ?2::bigint[], ?3::text[], ?4::text[], ?5::text[], ?6::text[],
    ?7::text[], ?8::bigint[], ?9::text[], ?10::bigint[], ?11::text[], ?12::text[], ?13::text[],
    ?14::bytea[], ?15::text[], ?16::bytea[], ?17::text[], ?18::bytea[])
ON CONFLICT (channel, account, key) WHERE key IS NOT NULL DO NOTHING;

-- name: add_deliveries
INSERT INTO deliveries (seq, id, destination, lane, type, due_at, data,
    stream, ticket, event_seq, created_at, ready_at, state, turn, node)
SELECT *, CASE row.state WHEN 'leased' THEN current_setting('gateway.node')::integer END
FROM unnest(?1::bigint[], ?2::text[], ?3::text[], ?4::integer[], ?5::text[], ?6::bigint[],
    ?7::bytea[], ?8::bigint[], ?9::bigint[], ?10::bigint[], ?11::bigint[], ?12::bigint[],
    ?13::text[], ?14::integer[])
    AS row(seq, id, destination, lane, type, due_at, data, stream, ticket, event_seq, created_at,
        ready_at, state, turn);

-- name: add_totals
-- The last numbers given out, the files named, the last numbers of days, what counters grew by, and
-- by what the writer knows that all this was committed.
WITH files AS (
    INSERT INTO attachments (sha256) SELECT DISTINCT * FROM unnest(?3::text[])
    ON CONFLICT (sha256) DO NOTHING
), days AS (
    INSERT INTO numbers (day, last) SELECT * FROM unnest(?4::integer[], ?5::bigint[])
    ON CONFLICT (day) DO UPDATE SET last = excluded.last
), grown AS (
    INSERT INTO counters (name, value) SELECT * FROM unnest(?6::text[], ?7::bigint[])
    ON CONFLICT (name) DO UPDATE SET value = counters.value + excluded.value
), marked AS (
    INSERT INTO commits (writer, mark) VALUES (?8, ?9)
    ON CONFLICT (writer) DO UPDATE SET mark = excluded.mark
)
UPDATE heads SET seq = ?1, delivery = ?2 WHERE (seq, delivery) IS DISTINCT FROM (?1, ?2);

-- name: add_incident
INSERT INTO incidents (seq, id, service, state, desk, rung, rung_from, ladder_at, version, body)
VALUES (?1, ?2, ?3::text, ?4, ?3::text, 0, ?5, ?6, 1, ?7);

-- name: hurry
-- What an emergency of the same stream waits behind becomes as urgent as it is. One that is under
-- way stays so until its lease ends.
UPDATE deliveries
SET lane = 0, due_at = least(due_at, ?3),
    ready_at = CASE state WHEN 'due' THEN least(ready_at, ?3) ELSE ready_at END
WHERE destination = ?1 AND stream = ?2 AND turn IS NOT NULL AND lane != 0;

-- name: claimable
-- Two JSON arrays, the deliveries and their numbers.
SELECT coalesce(json_agg(json_build_array(seq, id, destination, lane, type, subject, ticket_id,
    event_seq, created_at, attempts, due_at, convert_from(data, 'UTF8'), last_error, 'leased', why))::text,
    '[]'), coalesce(json_agg(seq)::text, '[]')
FROM (
    SELECT * FROM outbox
    WHERE destination = ?1 AND lane = ?2::integer AND turn = 1 AND ready_at <= ?3
    ORDER BY ready_at, seq LIMIT ?4::bigint
) AS first;

-- name: is_claimable
SELECT EXISTS (
    SELECT 1 FROM deliveries
    WHERE destination = ?1 AND lane = ?2::integer AND turn = 1 AND ready_at <= ?3
);

-- name: lease
UPDATE deliveries
SET state = 'leased', ready_at = ?2, node = current_setting('gateway.node')::integer
WHERE seq IN (SELECT value::bigint FROM json_array_elements_text(?1::text::json));

-- name: settle
-- By whoever has the delivery: a gateway that slept over its lease's end must not give back, or give
-- up, what another is at.
UPDATE deliveries
SET state = ?2::text, turn = CASE ?2::text WHEN 'due' THEN turn END, due_at = coalesce(?3, due_at),
    -- An emergency's next try is no later than the end of its lease would have made it: an ordinary
    -- worker, with longer delays, may have had it when it became urgent.
    ready_at = CASE lane WHEN 0 THEN least(coalesce(?3, due_at), ready_at) ELSE coalesce(?3, due_at) END,
    attempts = attempts + (?4::text IS NOT NULL)::integer,
    last_error = coalesce(?4::text, last_error)
WHERE seq = ?1 AND state = 'leased' AND node = current_setting('gateway.node')::integer;

-- name: settle_done
UPDATE deliveries SET state = 'done', turn = NULL
WHERE seq IN (SELECT value::bigint FROM json_array_elements_text(?1::text::json)) AND state = 'leased';

-- name: with_successors
-- Those of the finished deliveries behind which others wait.
SELECT ended.seq
FROM deliveries AS ended
WHERE ended.seq IN (SELECT value::bigint FROM json_array_elements_text(?1::text::json))
    AND EXISTS (
        SELECT 1 FROM deliveries AS next
        WHERE next.destination = ended.destination AND next.stream = ended.stream AND next.turn = 0
    );

-- name: watched_upto
UPDATE watch SET upto = greatest(upto, ?1);

-- name: swap
INSERT INTO shared (name, version, value) SELECT ?1::text, 1, ?2::bytea WHERE ?3::bigint = 0
ON CONFLICT (name) DO NOTHING;

-- name: swap_again
UPDATE shared SET version = version + 1, value = ?2 WHERE name = ?1 AND version = ?3;

-- name: gone
-- Gateways that have leased something and are not there any more.
SELECT DISTINCT node FROM deliveries
WHERE state IN ('leased', 'dead', 'discarded') AND state = 'leased' AND node NOT IN (
    SELECT objid::bigint FROM pg_locks
    WHERE locktype = 'advisory' AND classid = ?1::bigint::oid AND objsubid = 2 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
);

-- name: free_leases
UPDATE deliveries SET state = 'due', ready_at = due_at, node = NULL
WHERE state IN ('leased', 'dead', 'discarded') AND state = 'leased'
    AND node IN (SELECT value::bigint FROM json_array_elements_text(?1::text::json));
