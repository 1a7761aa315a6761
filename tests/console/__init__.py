"""The operators' console, over a real socket."""
