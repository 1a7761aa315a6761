"""The outbox: deliveries claimed, carried, retried and, at the last, set aside."""
