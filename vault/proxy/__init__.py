"""The edge proxy: existing systems get tokens without a line of their code changed.

A message goes through these rooms::

    serving    listeners of one process, each a strict HTTP/1.1 server of `vault.web`
    routes     which route a request takes; whatever fits none is answered 404
    end_user   for whom a route's requests are
    rules      what a route's rules say of a message: fields of its head, a parser for its body
    head       headers, path and query: fields in them, hop-by-hop headers, `Forwarded`
    bodies/    parsers that give fields and leave every other byte as it was
    message    one pass over a message: all fields of a small one in one batch
    asking     fields -> the service, as the route's client: grants, limits, record
    upstream   what stands behind: endpoints, health, connections (aiohttp)
    tunnel     WebSockets, of routes that pass them untouched
    exchange   one request and its answer, from the listener to the upstream and back

Whatever cannot be carried out as the rules say is refused, or breaks the connection where a part
of it has left.
"""
