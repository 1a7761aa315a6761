"""What the region rules and the routing table make of a matter."""
