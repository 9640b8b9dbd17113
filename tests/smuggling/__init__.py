"""Requests that two readers could take for different ones, written for this project."""
