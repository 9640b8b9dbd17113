"""The formats by name. Adding one is one file and one line here."""
