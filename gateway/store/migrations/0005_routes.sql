-- The routes as they were put in force in the console.

CREATE TABLE routes_versions (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    by TEXT NOT NULL, -- the user; empty: as it stood in the file
    why TEXT NOT NULL,
    text TEXT NOT NULL,
    in_force_at INTEGER -- NULL: not as far as is known
) STRICT;
