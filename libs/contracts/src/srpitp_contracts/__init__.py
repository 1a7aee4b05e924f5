"""What crosses a process boundary: models of the REST interfaces and the names in the store."""
