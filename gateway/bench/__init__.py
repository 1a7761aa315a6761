"""The benchmark: what it starts, how it loads it, what it prints (contract section 9)."""
