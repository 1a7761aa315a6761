"""The liaison desks: incidents, their queues, their pages and the ladder behind them."""
