"""Class-body declarations, as TorchScript reads them: those of a class hide those of its bases."""

from __future__ import annotations

from collections.abc import Mapping

from tsrefactor.source.edits import AddToClass, Edit, Replace

from .file import Class


def declare_in_class(cls: Class, types: Mapping[str, str], values: Mapping[str, str] | None = None) -> list[Edit]:
    """The edits that declare attributes in a class: name → annotation, and the value where one is given.

    The annotations of a base that they would hide are repeated; so are they in subclasses that have some.
    """
    edits: list[Edit] = []
    for c in (cls, *(s for s in cls.subclasses if s.annotations)):
        edits += [Replace(c.annotations[n], t) for n, t in types.items() if n in c.annotations and c is cls]
        given = values if values is not None and c is cls else {}
        new = [f"{n}: {t}{f' = {given[n]}' if n in given else ''}" for n, t in types.items() if n not in c.annotations]
        hidden = next((a for a in c.ancestors if a.annotations), None) if not c.annotations else None
        if hidden is not None:
            repeated = {n: a for n, a in hidden.annotations.items() if n not in types}
            new += [f"{n}: {cls.file.source.segment(a)}" for n, a in repeated.items()]
        if new:
            edits.append(AddToClass(c.node, "\n".join(new)))
    return edits
