"""Cards: limits near and over."""
