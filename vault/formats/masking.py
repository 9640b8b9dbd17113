"""Asterisks in place of what a reader need not see."""


def masked(value: str, first: int, last: int, separators: str = "") -> str:
    """`value` with all but its `first` and `last` characters as ``*``.

    Separators stay and do not count. A mask hides something: where the kept parts would cover
    the whole value, nothing is kept.
    """
    count = sum(character not in separators for character in value)
    if first + last >= count:
        first = last = 0
    shown: list[str] = []
    at = 0
    for character in value:
        if character in separators:
            shown.append(character)
            continue
        shown.append(character if at < first or at >= count - last else "*")
        at += 1
    return "".join(shown)
