"""A back end of third-party payment: takes claims, stores tokens, reimburses."""
