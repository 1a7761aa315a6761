"""Clusters: what many citizens report of one matter, found beside intake, never in its way."""
