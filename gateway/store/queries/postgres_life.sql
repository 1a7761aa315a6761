-- What opening a store asks of PostgreSQL.

-- name: encoding
SHOW server_encoding;

-- name: version_table
-- Whether a schema of ours is there, and whether any other tables are.
SELECT to_regclass('schema_version') IS NOT NULL, EXISTS (
    SELECT 1 FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v')
);

-- name: create_version
CREATE TABLE schema_version (version integer NOT NULL, application text NOT NULL);

-- name: claim
INSERT INTO schema_version (version, application) VALUES (0, ?1);

-- name: version
SELECT version, application FROM schema_version;

-- name: set_version
UPDATE schema_version SET version = ?1::integer;

-- name: keep_secret
INSERT INTO meta (key, value) VALUES ('secret', ?1) ON CONFLICT (key) DO NOTHING;

-- name: next_node
SELECT nextval('nodes')::integer;
