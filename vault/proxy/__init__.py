"""The edge proxy: existing systems get tokens without a line of their code changed."""
