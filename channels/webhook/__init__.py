"""The webhook channel: any partner platform, signed per Standard Webhooks."""
