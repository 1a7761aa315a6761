"""The ways out: back office, liaison queues, notices."""
