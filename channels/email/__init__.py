"""Electronic mail: mailboxes read by IMAP, hand-over by SMTP and LMTP, and the way out by SMTP."""
