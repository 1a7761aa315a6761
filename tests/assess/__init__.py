"""The judge: lexicon files, rulebook, clauses and decisions."""
