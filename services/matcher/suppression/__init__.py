"""Why a match alerts nobody: allowances of its owner, and images that match too much."""
