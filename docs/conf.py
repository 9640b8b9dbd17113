"""Sphinx settings. Tables that the code knows best are written anew at every build."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from sdk_reference import write_reference  # noqa: E402 - after the path is set
from tables import write_tables  # noqa: E402

project = "Jeton"
author = "The Jeton maintainers"
copyright = "The Jeton maintainers, Apache-2.0"  # noqa: A001 - Sphinx's name for it
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "Jeton"
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["tables.css"]
exclude_patterns = ["_build"]
nitpicky = True

write_tables(HERE / "_build" / "tables")
write_reference(HERE / "_build" / "tables" / "sdk_reference.md")
