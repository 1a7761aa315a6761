"""WeChat's side of the wire, for tests, the demonstration and benchmarks; written from its documentation."""
