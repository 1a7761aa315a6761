"""The contract and the bottom layer: values and pure functions, no I/O, no clock."""
