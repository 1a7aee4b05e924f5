"""What the developers run: the set-up, and what is written into docs/."""
