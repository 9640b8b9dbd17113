"""Its pages, in XHTML."""

from collections.abc import Iterable
from html import escape

from portal.database import Person

STYLE = """
body { font: 15px/1.5 "DejaVu Sans", sans-serif; color: #222; background: #eef1f4; margin: 0 }
h1 { background: #1d4e6b; color: #fff; font-size: 1.2rem; margin: 0; padding: .8rem 2rem }
h1 span { float: right; font-size: .85rem; font-weight: normal }
div { background: #fff; margin: 1.2rem auto; max-width: 56rem; padding: 1rem 2rem }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid #ccd; padding: .4rem .6rem; text-align: left }
td.nir, td.born { font-family: "DejaVu Sans Mono", monospace }
label { display: inline-block; margin-right: 1rem } input { font: inherit; padding: .2rem }
p.trouble { color: #a11 } p.count { color: #667 }
"""


def page(title: str, agent: str, *parts: str) -> str:
    who = f"<span>{escape(agent)}</span>" if agent else ""
    return (
        '<html xmlns="http://www.w3.org/1999/xhtml" lang="en"><head>'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><h1>{escape(title)}{who}</h1>"
        + "".join(f"<div>{part}</div>" for part in parts)
        + "</body></html>\n"
    )


def trouble(text: str) -> str:
    return f'<p class="trouble">{escape(text)}</p>'


LOGIN = (
    '<form method="post" action="/login">'
    '<label>Name <input name="agent" autofocus="autofocus"/></label>'
    '<label>Password <input name="password" type="password"/></label>'
    '<button id="login">Log in</button></form>'
)

ADD = (
    '<form method="post" action="/people">'
    '<label>Name <input name="name"/></label>'
    '<label>Number <input name="nir" size="16"/></label>'
    '<label>Born <input name="born" size="10" placeholder="DD/MM/YYYY"/></label>'
    '<button id="add">Add</button></form>'
)


def search(nir: str) -> str:
    return (
        '<form method="get" action="/people">'
        f'<label>Number <input name="nir" size="16" value="{escape(nir)}"/></label>'
        '<button id="search">Search</button> <a href="/people">all</a> '
        '<a id="export" href="/people.csv">export</a></form>'
    )


def listed(people: Iterable[Person]) -> str:
    rows = [
        f'<tr class="person"><td class="name">{escape(one.name)}</td>'
        f'<td class="nir">{escape(one.nir)}</td><td class="born">{escape(one.born)}</td></tr>'
        for one in people
    ]
    head = "<tr><th>Name</th><th>Number</th><th>Born</th></tr>"
    return f'<table>{head}{"".join(rows)}</table><p class="count">{len(rows)} people</p>'
