-- Who may use the operators' console, who is logged in, and what was done there.

CREATE TABLE console_users (
    name text COLLATE "C" PRIMARY KEY,
    role text COLLATE "C" NOT NULL,
    password text COLLATE "C" NOT NULL, -- hashed, with salt and parameters
    created_at bigint NOT NULL,
    changed_at bigint NOT NULL
);

CREATE TABLE console_sessions (
    digest text COLLATE "C" PRIMARY KEY, -- SHA-256 of the token, which only the browser has
    name text COLLATE "C" NOT NULL REFERENCES console_users (name),
    opened_at bigint NOT NULL,
    seen_at bigint NOT NULL
);

CREATE INDEX console_sessions_name ON console_sessions (name);

CREATE TABLE audit (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at bigint NOT NULL,
    by text COLLATE "C" NOT NULL, -- the user; empty: somebody unknown
    remote text NOT NULL,
    action text COLLATE "C" NOT NULL,
    subject text NOT NULL,
    detail text NOT NULL
);

CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_by ON audit (by, seq);
CREATE INDEX audit_action ON audit (action, seq);

CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$;
CREATE TRIGGER audit_kept BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_stays();
CREATE TRIGGER audit_whole BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_stays();
