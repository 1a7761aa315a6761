"""Where tickets, events, deliveries and incidents are kept."""
