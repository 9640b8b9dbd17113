"""The demonstration: a third-party payer's database, filled, read and robbed through Jeton.

It stands outside the house: it starts the service as a process of its own and talks HTTP to
it, as any user would.
"""
