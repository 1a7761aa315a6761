"""The gateway's own rules: accepting, views, the citizen's steps, health, logs, commands."""
