-- What the writer asks of SQLite alone.

-- name: last_seqs
SELECT max(
    (SELECT coalesce(max(seq), 0) FROM tickets), (SELECT coalesce(max(seq), 0) FROM events)
), (SELECT coalesce(max(seq), 0) FROM deliveries);

-- name: count
INSERT INTO counters (name, value) VALUES (?1, ?2)
ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;

-- name: last_number
SELECT last FROM numbers WHERE day = ?1;

-- name: set_number
INSERT INTO numbers (day, last) VALUES (?1, ?2) ON CONFLICT (day) DO UPDATE SET last = ?2;

-- name: add_ticket
-- OR FAIL, because one that fails undoes the transaction: nothing is kept to undo the statement by.
INSERT OR FAIL INTO tickets (seq, nr, id, channel, account, key, thread, received_at, digest,
    at, event, by, text, data, event_key, body, raw_type, raw)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
ON CONFLICT (channel, account, key) WHERE key IS NOT NULL DO NOTHING;

-- name: add_attachments
INSERT INTO attachments (sha256) SELECT value FROM json_each(?1) WHERE true
ON CONFLICT (sha256) DO NOTHING;

-- name: add_incident
INSERT INTO incidents (seq, id, service, state, desk, rung, rung_from, ladder_at, version, body)
VALUES (?1, ?2, ?3, ?4, ?3, 0, ?5, ?6, 1, ?7);

-- name: add_delivery
INSERT OR FAIL INTO deliveries (seq, id, destination, lane, type, due_at, data,
    stream, ticket, event_seq, created_at, ready_at, state, turn)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14);

-- name: hurry
-- What an emergency of the same stream waits behind becomes as urgent as it is. One that is under
-- way stays so until its lease ends.
UPDATE deliveries
SET lane = 0, due_at = min(due_at, ?3),
    ready_at = CASE state WHEN 'due' THEN min(ready_at, ?3) ELSE ready_at END
WHERE destination = ?1 AND stream = ?2 AND turn IS NOT NULL AND lane != 0;

-- name: claimable
-- One row of two JSON arrays, the deliveries and their numbers: SQLite makes them without this
-- interpreter, which would have to be entered for each row.
SELECT json_group_array(json_array(seq, id, destination, lane, type, subject, ticket_id, event_seq,
    created_at, attempts, due_at, CAST(data AS TEXT), last_error, 'leased', why)),
    json_group_array(seq)
FROM (
    SELECT * FROM outbox
    WHERE destination = ?1 AND lane = ?2 AND turn = 1 AND ready_at <= ?3
    ORDER BY ready_at, seq LIMIT ?4
);

-- name: lease
UPDATE deliveries SET state = 'leased', ready_at = ?2
WHERE seq IN (SELECT value FROM json_each(?1));

-- name: settle
UPDATE deliveries
SET state = ?2, turn = CASE ?2 WHEN 'due' THEN turn END, due_at = coalesce(?3, due_at),
    -- An emergency's next try is no later than the end of its lease would have made it: an ordinary
    -- worker, with longer delays, may have had it when it became urgent.
    ready_at = CASE lane WHEN 0 THEN min(coalesce(?3, due_at), ready_at) ELSE coalesce(?3, due_at) END,
    attempts = attempts + (?4 IS NOT NULL),
    last_error = coalesce(?4, last_error)
WHERE seq = ?1 AND state = 'leased';

-- name: settle_done
UPDATE deliveries SET state = 'done', turn = NULL
WHERE seq IN (SELECT value FROM json_each(?1)) AND state = 'leased';

-- name: with_successors
-- Those of the finished deliveries behind which others wait.
SELECT ended.seq FROM json_each(?1) AS given JOIN deliveries AS ended ON ended.seq = given.value
WHERE EXISTS (
    SELECT 1 FROM deliveries AS next
    WHERE next.destination = ended.destination AND next.stream = ended.stream AND next.turn = 0
);

-- name: free_leases
UPDATE deliveries SET state = 'due', ready_at = due_at WHERE rare = 'leased';

-- name: hand_out
-- Which deliveries the answer of batch ?1 leases to its askers; of the last two batches, as so many
-- may be without an answer.
INSERT INTO meta (key, value) VALUES ('handed_out.' || (?1 % 2), jsonb_array(?1, json(?2)))
ON CONFLICT (key) DO UPDATE SET value = excluded.value;

-- name: give_back
-- What batch ?1 and those after it leased to askers who never had their answers; 0: nothing.
UPDATE deliveries SET state = 'due', ready_at = due_at
WHERE ?1 > 0 AND state = 'leased' AND seq IN (
    SELECT handed.value FROM meta, json_each(meta.value, '$[1]') AS handed
    WHERE meta.key IN ('handed_out.0', 'handed_out.1') AND meta.value ->> '$[0]' >= ?1
);

-- name: hand_out_nothing
DELETE FROM meta WHERE key GLOB 'handed_out*';

-- name: watched_upto
UPDATE watch SET upto = max(upto, ?1);
