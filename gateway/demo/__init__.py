"""The demonstration: real requests by every channel into a gateway with loopback peers."""
