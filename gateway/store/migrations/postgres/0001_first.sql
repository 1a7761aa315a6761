-- The store as of its first version. Instants are microseconds since 1970-01-01T00:00:00Z. JSON is
-- kept as the octets it was given as: `jsonb` would refuse a citizen's NUL and forget the order.
-- What is compared or sorted is ASCII, so the order is that of its octets, whatever the locale.

CREATE TABLE meta (
    key text COLLATE "C" PRIMARY KEY,
    value bytea NOT NULL
);

-- The last numbers given out. Whoever writes holds this row until its commit, so that numbers are
-- given out in the order of the commits, whichever gateway asks; no reader misses one that way.
CREATE TABLE heads (
    one integer PRIMARY KEY CHECK (one = 1),
    seq bigint NOT NULL, -- to a ticket or an event
    delivery bigint NOT NULL
) WITH (fillfactor = 10);

INSERT INTO heads (one, seq, delivery) VALUES (1, 0, 0);

-- Each gateway process that opens the store takes a number, and holds a lock of it while it lives.
CREATE SEQUENCE nodes AS integer CYCLE;

-- Kept in step with every change, so that a scrape never counts a big table.
CREATE TABLE counters (
    name text COLLATE "C" PRIMARY KEY,
    value bigint NOT NULL
) WITH (fillfactor = 10);

INSERT INTO counters (name, value) VALUES
    ('tickets', 0), ('due', 0), ('dead', 0), ('held', 0), ('incidents_open', 0);

-- The last number given out on each day.
CREATE TABLE numbers (
    day integer PRIMARY KEY, -- YYYYMMDD
    last bigint NOT NULL
) WITH (fillfactor = 10);

-- Inserted once and never updated; what happens to a ticket are events. The first one, that of its
-- acceptance, is in the ticket's own row: a row less to write for each ticket.
CREATE TABLE tickets (
    seq bigint PRIMARY KEY, -- of its first event; events refer to the ticket by it
    nr bigint NOT NULL UNIQUE, -- day * 10^10 + count: the number without its check digit
    id text COLLATE "C" NOT NULL UNIQUE,
    channel text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    key text COLLATE "C",
    thread text COLLATE "C", -- the carrier's name for the conversation
    received_at bigint NOT NULL,
    digest text COLLATE "C" NOT NULL,
    at bigint NOT NULL, -- from here on its first event, as in `events`
    event text COLLATE "C" NOT NULL,
    by text NOT NULL,
    text text,
    data bytea,
    event_key text COLLATE "C",
    body bytea NOT NULL, -- the ticket as JSON
    raw_type text NOT NULL,
    raw bytea NOT NULL
);

CREATE UNIQUE INDEX tickets_key ON tickets (channel, account, key) WHERE key IS NOT NULL;
CREATE INDEX tickets_thread ON tickets (channel, account, thread, received_at)
    WHERE thread IS NOT NULL;

-- Of tickets, from the second one on, and of incidents. Numbered together with the tickets.
CREATE TABLE events (
    seq bigint PRIMARY KEY,
    stream bigint NOT NULL, -- number of the first event of the ticket or incident
    version integer NOT NULL,
    at bigint NOT NULL,
    event text COLLATE "C" NOT NULL,
    by text NOT NULL,
    text text,
    data bytea, -- JSON object; NULL: empty
    key text COLLATE "C"
);

-- Whom a rung of the ladder told. Immutable: what is converted is always UTF-8.
CREATE FUNCTION rung_of(data bytea) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT pg_catalog.convert_from(data, 'UTF8')::json ->> 'to' $$;

CREATE UNIQUE INDEX events_version ON events (stream, version);
CREATE UNIQUE INDEX events_key ON events (stream, key) WHERE key IS NOT NULL;
-- The ladder of an incident that nobody acknowledges repeats its last rung for ever. Each event is in
-- one of these, so that the others are found without reading the repetitions.
CREATE INDEX events_told ON events (stream, version) WHERE event != 'escalated';
CREATE INDEX events_rungs ON events (stream, rung_of(data), version) WHERE event = 'escalated';

CREATE TABLE incidents (
    seq bigint PRIMARY KEY, -- of its first event
    id text COLLATE "C" NOT NULL UNIQUE,
    service text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    desk text COLLATE "C" NOT NULL,
    rung integer NOT NULL,
    rung_from bigint NOT NULL,
    ladder_at bigint,
    version integer NOT NULL, -- of its newest event
    body bytea NOT NULL -- the incident as it was raised, as JSON
);

CREATE INDEX incidents_state ON incidents (state, id);
CREATE INDEX incidents_desk ON incidents (desk, state, id);
CREATE INDEX incidents_ladder ON incidents (ladder_at) WHERE ladder_at IS NOT NULL;

CREATE TABLE reports (
    seq bigint PRIMARY KEY, -- of the event by which the ticket raised or joined the incident
    incident bigint NOT NULL REFERENCES incidents (seq),
    ticket bigint NOT NULL REFERENCES tickets (seq),
    UNIQUE (incident, ticket)
);

CREATE INDEX reports_ticket ON reports (ticket);

-- The files that tickets and their events name; whatever else lies in the folder may go.
CREATE TABLE attachments (
    sha256 text COLLATE "C" PRIMARY KEY
);

-- The outbox. `turn` makes claiming cheap however long the queue: 1 is the oldest unfinished
-- delivery of its stream to its destination, 0 waits behind that one, NULL is finished.
CREATE TABLE deliveries (
    seq bigint PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE, -- the CloudEvent's
    destination text COLLATE "C" NOT NULL,
    lane integer NOT NULL,
    type text COLLATE "C" NOT NULL,
    stream bigint NOT NULL,
    ticket bigint NOT NULL, -- the ticket shown; a ticket's own stream is itself
    event_seq bigint NOT NULL,
    created_at bigint NOT NULL,
    due_at bigint NOT NULL,
    ready_at bigint NOT NULL, -- when it may be claimed: due_at, or the end of its lease
    state text COLLATE "C" NOT NULL, -- due, leased, done, dead or discarded
    turn integer, -- NULL in the last three states
    attempts integer NOT NULL DEFAULT 0,
    last_error text,
    why text, -- what the operator said when redoing or discarding it
    data bytea, -- JSON object; NULL: empty
    node integer -- of the gateway that has leased it
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);

CREATE INDEX deliveries_claim ON deliveries (destination, lane, ready_at, seq) WHERE turn = 1;
CREATE INDEX deliveries_order ON deliveries (destination, stream, turn DESC, seq)
    WHERE turn IS NOT NULL;
CREATE INDEX deliveries_rare ON deliveries (state, seq)
    WHERE state IN ('leased', 'dead', 'discarded');

-- Deliveries as the program knows them: with the ids of what they are about.
CREATE VIEW outbox AS
SELECT d.seq, d.id, d.destination, d.lane, d.type, coalesce(i.id, t.id, '') AS subject,
    t.id AS ticket_id, d.event_seq, d.created_at, d.attempts, d.due_at, d.data, d.last_error,
    d.state, d.why, d.turn, d.ready_at
FROM deliveries AS d
LEFT JOIN tickets AS t ON t.seq = d.ticket
LEFT JOIN incidents AS i ON i.seq = d.stream;

CREATE TABLE quarantine (
    id text COLLATE "C" PRIMARY KEY,
    at bigint NOT NULL,
    channel text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    state text COLLATE "C" NOT NULL CHECK (state IN ('held', 'replayed', 'discarded')),
    why text,
    raw_type text NOT NULL,
    raw bytea NOT NULL
);

CREATE INDEX quarantine_state ON quarantine (state, at, id);

-- Tickets with a limit ahead. Filled beside intake by whoever minds the limits, from the tickets and
-- steps behind `watch.upto`: accepting a ticket writes nothing here.
CREATE TABLE watched (
    ticket bigint PRIMARY KEY, -- number of its first event
    at bigint NOT NULL -- when it is to be looked at
);

CREATE INDEX watched_at ON watched (at, ticket);

CREATE TABLE watch (
    one integer PRIMARY KEY CHECK (one = 1),
    upto bigint NOT NULL -- the newest event that was seen to
) WITH (fillfactor = 10);

INSERT INTO watch (one, upto) VALUES (1, 0);

-- Small values that all gateways see, such as an account's access token.
CREATE TABLE shared (
    name text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL,
    value bytea NOT NULL
);
