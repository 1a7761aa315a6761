"""Clusters of ordinary tickets."""
