-- The store as of its first version. Instants are microseconds since 1970-01-01T00:00:00Z.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Kept in step with every change, so that a scrape never counts a big table.
CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO counters (name, value) VALUES
    ('tickets', 0), ('due', 0), ('dead', 0), ('held', 0), ('incidents_open', 0);

-- The last number given out on each day. A row outlives the day's tickets: should they be deleted
-- one day, their numbers are not given out again.
CREATE TABLE numbers (
    day INTEGER PRIMARY KEY, -- YYYYMMDD
    last INTEGER NOT NULL
) STRICT;

-- Inserted once and never updated; what happens to a ticket are events. The first one, that of its
-- acceptance, is in the ticket's own row: a row less to write for each ticket.
--
-- What is written for every ticket is written at the end of its b-tree. An index in another order,
-- by phone for example, would have each ticket write a page of its own, to the log and again to the
-- file: a third of all that an acceptance costs.
CREATE TABLE tickets (
    seq INTEGER PRIMARY KEY, -- of its first event; events refer to the ticket by it
    nr INTEGER NOT NULL UNIQUE, -- day * 10^10 + count: the number without its check digit
    id TEXT NOT NULL UNIQUE,
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    key TEXT,
    thread TEXT, -- the carrier's name for the conversation
    received_at INTEGER NOT NULL,
    digest TEXT NOT NULL,
    at INTEGER NOT NULL, -- from here on its first event, as in `events`
    event TEXT NOT NULL,
    by TEXT NOT NULL,
    text TEXT,
    data BLOB,
    event_key TEXT,
    body BLOB NOT NULL, -- the ticket as JSON
    raw_type TEXT NOT NULL,
    raw BLOB NOT NULL -- last: reading a ticket does not touch the pages of a long message
) STRICT;

CREATE UNIQUE INDEX tickets_key ON tickets (channel, account, key) WHERE key IS NOT NULL;
CREATE INDEX tickets_thread ON tickets (channel, account, thread, received_at)
    WHERE thread IS NOT NULL;

-- Of tickets, from the second one on, and of incidents. Numbered together with the tickets.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL, -- number of the first event of the ticket or incident
    version INTEGER NOT NULL,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    by TEXT NOT NULL,
    text TEXT,
    data BLOB, -- JSON object; NULL: empty
    key TEXT
) STRICT;

CREATE UNIQUE INDEX events_version ON events (stream, version);
CREATE UNIQUE INDEX events_key ON events (stream, key) WHERE key IS NOT NULL;

CREATE TABLE incidents (
    seq INTEGER PRIMARY KEY, -- of its first event
    id TEXT NOT NULL UNIQUE,
    service TEXT NOT NULL,
    state TEXT NOT NULL,
    desk TEXT NOT NULL,
    rung INTEGER NOT NULL,
    rung_from INTEGER NOT NULL,
    ladder_at INTEGER,
    version INTEGER NOT NULL, -- of its newest event
    body BLOB NOT NULL -- the incident as it was raised, as JSON
) STRICT;

CREATE INDEX incidents_state ON incidents (state, id);
CREATE INDEX incidents_desk ON incidents (desk, state, id);
CREATE INDEX incidents_ladder ON incidents (ladder_at) WHERE ladder_at IS NOT NULL;

CREATE TABLE reports (
    seq INTEGER PRIMARY KEY, -- of the event by which the ticket raised or joined the incident
    incident INTEGER NOT NULL REFERENCES incidents (seq),
    ticket INTEGER NOT NULL REFERENCES tickets (seq),
    UNIQUE (incident, ticket)
) STRICT;

CREATE INDEX reports_ticket ON reports (ticket);

-- The files that tickets and their events name; whatever else lies in the folder may go.
CREATE TABLE attachments (
    sha256 TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- The outbox. `turn` makes claiming cheap however long the queue: 1 is the oldest unfinished
-- delivery of its stream to its destination, 0 waits behind that one, NULL is finished.
CREATE TABLE deliveries (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE, -- the CloudEvent's
    destination TEXT NOT NULL,
    lane INTEGER NOT NULL,
    type TEXT NOT NULL,
    stream INTEGER NOT NULL,
    ticket INTEGER NOT NULL, -- the ticket shown; a ticket's own stream is itself
    event_seq INTEGER NOT NULL, -- a foreign key here would cost a tenth of an acceptance
    created_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    ready_at INTEGER NOT NULL, -- when it may be claimed: due_at, or the end of its lease
    -- due, leased, done, dead or discarded; `turn` is NULL in the last three. A CHECK of both
    -- would double the cost of a row.
    state TEXT NOT NULL,
    turn INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    why TEXT, -- what the operator said when redoing or discarding it
    data BLOB, -- JSON object; NULL: empty
    -- A column, because SQLite matches a partial index on `state` with literal states only.
    rare TEXT GENERATED ALWAYS AS (CASE WHEN state NOT IN ('due', 'done') THEN state END) VIRTUAL
) STRICT;

CREATE INDEX deliveries_claim ON deliveries (destination, lane, ready_at) WHERE turn = 1;
CREATE INDEX deliveries_order ON deliveries (destination, stream, turn DESC)
    WHERE turn IS NOT NULL;
CREATE INDEX deliveries_rare ON deliveries (rare) WHERE rare IS NOT NULL;

-- Deliveries as the program knows them: with the ids of what they are about.
CREATE VIEW outbox AS
SELECT d.seq, d.id, d.destination, d.lane, d.type, coalesce(i.id, t.id, '') AS subject,
    t.id AS ticket_id, d.event_seq, d.created_at, d.attempts, d.due_at, d.data, d.last_error,
    d.state, d.why, d.turn, d.ready_at, d.rare
FROM deliveries AS d
LEFT JOIN tickets AS t ON t.seq = d.ticket
LEFT JOIN incidents AS i ON i.seq = d.stream;

CREATE TABLE quarantine (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    reason TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('held', 'replayed', 'discarded')),
    why TEXT,
    raw_type TEXT NOT NULL,
    raw BLOB NOT NULL
) STRICT;

CREATE INDEX quarantine_state ON quarantine (state, at, id);
