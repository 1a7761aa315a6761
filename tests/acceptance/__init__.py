"""Black-box tests: the running gateway over real sockets, written from its public face alone."""
