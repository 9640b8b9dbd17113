"""A portal as there are many: it knows nothing of tokens, and nobody will change it."""
