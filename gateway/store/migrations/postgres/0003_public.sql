-- What citizens agreed to have published, found without reading the rest.

-- The octets are `"public":true`, which stands in a ticket's JSON only as that member: within a string
-- its quotes would be escaped.
CREATE INDEX tickets_public ON tickets (nr) WHERE position('\x227075626c6963223a74727565'::bytea IN body) > 0;
