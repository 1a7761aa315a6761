"""The process that reads mails: a header that takes for ever costs this process, not the gateway."""

from channels.email.codec import understand
from channels.email.frames import serve
from channels.email.parsed import Job

if __name__ == "__main__":
    # A mail of 30 MB needs about 300 MB.
    serve(Job, understand, memory=1_500_000_000, last_s=60)
