"""The telephone: what the gateway's side and the worker that speaks SIP have in common."""
