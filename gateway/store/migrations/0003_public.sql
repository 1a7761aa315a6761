-- What citizens agreed to have published, found without reading the rest.

-- The octets are `"public":true`, which stands in a ticket's JSON only as that member: within a string
-- its quotes would be escaped. In the order of `nr`: its rows are written at the end, too.
CREATE INDEX tickets_public ON tickets (nr) WHERE instr(body, x'227075626c6963223a74727565') > 0;
