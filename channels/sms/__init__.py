"""Text messages: SMPP 3.4, CMPP 2.0 and 3.0, and the call-backs of cloud providers."""
