-- What each writer has committed last: looked up where the answer to a commit was lost. The number of
-- the transaction would not tell: a server that crashed gives those out again which were not on its disk.
CREATE TABLE commits (
    writer text COLLATE "C" PRIMARY KEY, -- a random name, for as long as its process runs
    mark bigint NOT NULL -- counts its transactions
) WITH (fillfactor = 10);
