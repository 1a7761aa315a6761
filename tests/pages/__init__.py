"""The citizens' pages over real sockets."""
