"""The web channel: request form and citizens' API."""
