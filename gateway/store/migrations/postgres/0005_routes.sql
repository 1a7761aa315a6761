-- The routes as they were put in force in the console.

CREATE TABLE routes_versions (
    number bigint PRIMARY KEY,
    at bigint NOT NULL,
    by text COLLATE "C" NOT NULL, -- the user; empty: as it stood in the file
    why text NOT NULL,
    text text NOT NULL,
    in_force_at bigint -- NULL: not as far as is known
);
