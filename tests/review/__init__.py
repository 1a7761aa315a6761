"""What a hostile review found, so that it does not come back."""
