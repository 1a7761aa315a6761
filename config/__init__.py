"""Settings, region packs, lexicons and the other data that the gateway ships with."""
