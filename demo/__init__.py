"""The whole journey on a loopback website: ``python -m demo``."""
