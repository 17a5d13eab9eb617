"""Declarations of attributes in a class body, so that TorchScript reads them and the inherited ones too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tsrefactor.source.edits import AddToClass, Edit, Replace
from tsrefactor.source.imports import Import

from .attributes import Declaration, constants
from .definitions import Class


def declared(cls: Class, declarations: Sequence[Declaration]) -> tuple[list[Edit], frozenset[Import]]:
    """The edits that declare attributes of one class, and the imports that they need.

    No edits where TorchScript would not read them.
    """
    file = cls.file
    texts: dict[str, str] = {}
    imports: set[Import] = set()
    for d in declarations:
        texts[d.name], needed = file.spell_type(d.type)
        imports |= needed
    finals = [d.name for d in declarations if d.final]
    if file.imports.origin("annotations") == "__future__.annotations":
        return _assigned(cls, texts, finals), frozenset(imports)
    if finals:
        spelled = "torch.jit.Final" if "torch.jit.Final" in file.imports.origins.values() else "typing.Final"
        final, needed = file.spell(spelled)
        imports |= needed
        texts |= {name: f"{final}[{texts[name]}]" for name in finals}
    return declare_in_class(cls, texts), frozenset(imports)


def declare_in_class(cls: Class, types: Mapping[str, str], values: Mapping[str, str] | None = None) -> list[Edit]:
    """The edits that declare attributes in a class: name → annotation, and the value where one is given.

    A class-body annotation hides those of the base classes: these are repeated, and subclasses with annotations of
    their own get the new ones, too. What the body gives a value already is annotated there.
    """
    edits: list[Edit] = []
    for c in (cls, *(s for s in cls.subclasses if s.annotations)):
        edits += [Replace(c.annotations[n], t) for n, t in types.items() if n in c.annotations and c is cls]
        given = values if values is not None and c is cls else {}
        missing = {n: t for n, t in types.items() if n not in c.annotations}
        bound = {n: c.body_values[n] for n in missing if n in c.body_values and n not in given}
        edits += [Replace([s], f"{n}: {missing[n]} = {{value}}", {"value": s.value}) for n, s in bound.items()]
        new = [f"{n}: {t}{f' = {given[n]}' if n in given else ''}" for n, t in missing.items() if n not in bound]
        hidden = next((a for a in c.ancestors if a.annotations), None) if not c.annotations else None
        if hidden is not None:
            repeated = {n: a for n, a in hidden.annotations.items() if n not in types}
            new += [f"{n}: {cls.file.source.segment(a)}" for n, a in repeated.items()]
        if new:
            edits.append(AddToClass(c.node, "\n".join(new)))
    return edits


def listed_as_constants(cls: Class, names: Sequence[str]) -> list[Edit]:
    """The edits that name attributes in ``__constants__``, which, other than Final, promises nothing to readers.

    No edits where the class or one that derives from it has such a list, or its base is in another file.
    """
    return [] if any(constants(c) for c in cls.subclasses) else _assigned(cls, {}, list(names))


def hides_unseen(cls: Class) -> bool:
    """Whether a first annotation in the class body may hide some of a base class that is not in this file."""
    related = (cls, *cls.ancestors)
    return not any(c.annotations for c in related) and any(
        base not in ("torch.nn.Module", "object") for base in cls.foreign_bases
    )


def _assigned(cls: Class, texts: dict[str, str], finals: list[str]) -> list[Edit]:
    """The same where the file's annotations are strings; nothing where that would take away what is declared."""
    types = {n: t for n, t in texts.items() if n not in finals}
    related = [cls, *cls.ancestors]
    taken = any(constants(c) for c in related) or (types and any(c.annotations for c in related))
    if taken or any(b not in ("torch.nn.Module", "object") for b in cls.foreign_bases):
        return []
    lines = [f"__constants__ = [{', '.join(map(repr, finals)).replace(chr(39), chr(34))}]"] if finals else []
    if types:
        lines.append("# TorchScript does not read annotations that the __future__ import makes strings")
        entries = ", ".join(f'"{n}": {t}' for n, t in types.items())
        lines.append(f"__annotations__ = {{{{{entries}}}}}")
    return [AddToClass(cls.node, "\n".join(lines))]
