-- What the clocks ask: which limits are ahead, and what a ladder has done.

-- Tickets with a limit ahead. Filled beside intake by whoever minds the limits, from the tickets and
-- steps behind `watch.upto`: accepting a ticket writes nothing here.

CREATE TABLE watched (
    ticket INTEGER PRIMARY KEY, -- number of its first event
    at INTEGER NOT NULL -- when it is to be looked at
) STRICT;

CREATE INDEX watched_at ON watched (at);

CREATE TABLE watch (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    upto INTEGER NOT NULL -- the newest event that was seen to
) STRICT;

INSERT INTO watch (one, upto) VALUES (1, 0);

-- The ladder of an incident that nobody acknowledges repeats its last rung for ever. Each event is in
-- one of these, so that the others are found without reading the repetitions.
CREATE INDEX events_told ON events (stream, version) WHERE event != 'escalated';
CREATE INDEX events_rungs ON events (stream, CAST(data AS TEXT) ->> '$.to', version)
    WHERE event = 'escalated';
