"""What the project says of itself holds: documentation, packaging and the rules of the source."""
