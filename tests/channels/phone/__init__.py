"""The telephone: codecs, dialogue, and a real worker called by SIPp and by a caller of ours."""
