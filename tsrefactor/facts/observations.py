"""What eager runs showed: a plain-data record, made by `tsrefactor.record`, joined over cases, stored as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .types import UNKNOWN, Type, join, join_given, parse


@dataclass
class FunctionObservations:
    """What was seen of one function, over all its calls.

    ``qualname`` and ``line`` (the def's first line, its first decorator's where it has one) name it in ``file``;
    ``digest`` is `source_digest` of its text, by which a recording of another version is told. ``scripted`` says
    whether it was ever called below a module's forward (what TorchScript would compile) and not only from set-up code.
    ``arguments`` has what came in ``**kwargs`` under its own names, too.
    """

    file: str
    qualname: str
    line: int
    digest: str = ""
    calls: int = 0
    scripted: bool = False
    arguments: dict[str, Type] = field(default_factory=dict)
    returns: Type = UNKNOWN
    locals: dict[str, Type] = field(default_factory=dict)
    lines: set[int] = field(default_factory=set)

    def join(self, other: FunctionObservations) -> None:
        self.calls += other.calls
        self.scripted |= other.scripted
        self.returns = join(self.returns, other.returns)
        for name, type_ in other.arguments.items():
            self.arguments[name] = join_given(self.arguments.get(name, UNKNOWN), type_)
        for name, type_ in other.locals.items():
            self.locals[name] = join(self.locals.get(name, UNKNOWN), type_)
        self.lines |= other.lines


@dataclass
class ClassObservations:
    """What was seen of one nn.Module class, over its instances after the run.

    ``attributes``: plain attributes (not parameters, buffers or submodules' own) by name, joined; what the objects
    among them hold stands there by its path (``cfg.width``, see `step`). ``children``:
    submodule attribute → qualified names of the classes seen there. ``absent``: attributes that some instances have
    and others lack. ``mro``: qualified names, the class itself first.
    """

    file: str
    qualname: str
    instances: int = 0
    mro: tuple[str, ...] = ()
    attributes: dict[str, Type] = field(default_factory=dict)
    children: dict[str, set[str]] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)

    def join(self, other: ClassObservations) -> None:
        if self.instances and other.instances:
            here, there = ({*o.attributes, *o.children} for o in (self, other))
            self.absent |= (here ^ there) | other.absent
        self.instances += other.instances
        self.mro = self.mro or other.mro
        for name, type_ in other.attributes.items():
            self.attributes[name] = join(self.attributes.get(name, UNKNOWN), type_)
        for name, classes in other.children.items():
            self.children.setdefault(name, set()).update(classes)


@dataclass
class Observations:
    """All that was recorded, by (file, qualname, first line) for functions and (file, qualname) for classes."""

    functions: dict[tuple[str, str, int], FunctionObservations] = field(default_factory=dict)
    classes: dict[tuple[str, str], ClassObservations] = field(default_factory=dict)

    def join(self, other: Observations) -> None:
        """Adds what `other` saw; neither shares mutable parts with the other afterwards."""
        copy = Observations.from_json(other.to_json())
        for key, function in copy.functions.items():
            if key in self.functions:
                self.functions[key].join(function)
            else:
                self.functions[key] = function
        for ckey, cls in copy.classes.items():
            if ckey in self.classes:
                self.classes[ckey].join(cls)
            else:
                self.classes[ckey] = cls

    @property
    def files(self) -> set[str]:
        return {key[0] for key in self.functions} | {key[0] for key in self.classes}

    def to_json(self) -> dict[str, Any]:
        functions = [
            {
                **{"file": f.file, "qualname": f.qualname, "line": f.line, "digest": f.digest},
                **{"calls": f.calls, "scripted": f.scripted, "arguments": _texts(f.arguments)},
                **{"returns": str(f.returns), "locals": _texts(f.locals), "lines": sorted(f.lines)},
            }
            for f in self.functions.values()
        ]
        classes = [
            {
                **{"file": c.file, "qualname": c.qualname, "instances": c.instances, "mro": list(c.mro)},
                **{"attributes": _texts(c.attributes), "absent": sorted(c.absent)},
                **{"children": {k: sorted(v) for k, v in c.children.items()}},
            }
            for c in self.classes.values()
        ]
        return {"functions": functions, "classes": classes}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Observations:
        """Raises KeyError or TypeError where ``data`` has not the form of `to_json`."""
        result = cls()
        for f in data["functions"]:
            seen = FunctionObservations(
                f["file"], f["qualname"], f["line"], f["digest"], f["calls"], f["scripted"], _types(f["arguments"]),
                parse(f["returns"]), _types(f["locals"]), set(f["lines"]),
            )  # fmt: skip
            result.functions[seen.file, seen.qualname, seen.line] = seen
        for c in data["classes"]:
            children = {k: set(v) for k, v in c["children"].items()}
            shown = ClassObservations(
                c["file"],
                c["qualname"],
                c["instances"],
                tuple(c["mro"]),
                _types(c["attributes"]),
                children,
                set(c["absent"]),
            )
            result.classes[shown.file, shown.qualname] = shown
        return result


def step(name: str) -> str:
    """What a path of fields takes on for one more, an attribute or a key: ``.width``; ``['a-b']`` for no identifier."""
    return f".{name}" if name.isidentifier() else f"[{name!r}]"


def _texts(types: dict[str, Type]) -> dict[str, str]:
    return {name: str(type_) for name, type_ in types.items()}


def _types(data: dict[str, str]) -> dict[str, Type]:
    return {name: parse(text) for name, text in data.items()}


def source_digest(lines: Iterable[str]) -> str:
    """A short digest of a function's source lines (decorators included), blind to indentation and line endings."""
    import hashlib

    text = "\n".join(line.strip() for line in lines)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
