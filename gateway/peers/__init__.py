"""The far ends of channels: carriers, and the citizens behind them, for demonstration, bench and simulation."""
