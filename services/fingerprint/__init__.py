"""The fingerprint service: image bytes in, what is read from them out (steps 2 and 6)."""
