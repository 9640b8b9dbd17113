"""Finds real identifiers where only tokens should be, and says how many stand where: never which.

digits     bytes -> fifteen digits in the groups of a number
readings   the ways in which bytes can be read: as they are, with escapes undone, as UTF-16
finder     both of them and the key: the places of numbers, told real, possible or token
streams    bytes on their way, in pieces that share what a number needs beside it
sources    files, folders, archives, databases -> streams with names
scanning   streams -> a report, on all cores
sarif      a report -> SARIF
"""
