"""Labelled texts, training and evaluating the judge."""
