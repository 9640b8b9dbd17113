"""`python -m vault ...` is `jeton ...`."""

from vault.cli import main

if __name__ == "__main__":
    main(prog_name="jeton")
