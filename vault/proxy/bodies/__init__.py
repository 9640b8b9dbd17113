"""Body rewriters: bytes in, the same bytes out but for the fields that rules select.

A *parser* for each kind of body turns chunks into pieces (`pieces`); what is done with them is
the same for all of them (`rewrite`). Nothing here does I/O.
"""
