"""Load as many callers make it, with locust: `locustfile.py`, and a short run in `short.py`."""
