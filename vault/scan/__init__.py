"""Finds real identifiers where only tokens should be, and says how many stand where: never which.

finder    a stretch of bytes -> the places of numbers, told real, likely or token
sources   files, folders, archives, databases -> stretches of bytes with names
report    places -> a table, JSON, SARIF
"""
