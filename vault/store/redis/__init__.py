"""Redis as the shared store: one server, Sentinel or Cluster, behind one URL.

`link` is the way there and the only one: `address` reads the URL, `topology` knows who the
primaries are, `node` keeps connections to one of them, `wire` is one connection, which
`checks` looks over before anything is sent, and `breaker` says when not to try. Nothing here
is imported before a configuration names a Redis store: redis-py is an extra.
"""
