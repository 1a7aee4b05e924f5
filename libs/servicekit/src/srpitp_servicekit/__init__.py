"""What every service needs, by subject: one module, one subject."""
