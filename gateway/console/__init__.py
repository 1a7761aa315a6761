"""The operators' console: who is logged in, what they may do, and the pages."""
