"""Load and engine benchmarks; nothing here is installed."""
