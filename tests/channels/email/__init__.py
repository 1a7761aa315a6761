"""Electronic mail: what is understood, how it comes in and how it goes out."""
