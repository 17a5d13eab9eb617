"""Which attribute holds the first parameter of a module: what ``next(module.parameters())`` gives."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from .definitions import Class, Function
from .layers import LAYERS
from .nodes import assigned_pairs, walk
from .registering import registers_nothing

_PARAMETERS = ("torch.nn.Parameter", "torch.nn.parameter.Parameter")
# Layer of torch.nn → its first parameter, where no argument makes it None.
_FIRST = {
    **dict.fromkeys(("Linear", "Bilinear", "Embedding", "EmbeddingBag", "PReLU", "LayerNorm", "GroupNorm"), "weight"),
    **{f"{kind}{d}d": "weight" for kind in ("Conv", "ConvTranspose", "BatchNorm") for d in (1, 2, 3)},
    **dict.fromkeys(("RNN", "GRU", "LSTM"), "weight_ih_l0"),
    **dict.fromkeys(("RNNCell", "GRUCell", "LSTMCell"), "weight_ih"),
}
_REGISTERS = ("register_parameter", "add_module", "register_module")
_MAY_BE_NONE = ("affine", "elementwise_affine")
# Layer → its positional arguments before the one that can make its parameters None.
_BEFORE_AFFINE = {"LayerNorm": 2, "GroupNorm": 3, **{f"BatchNorm{d}d": 3 for d in (1, 2, 3)}}


class Unsure(Exception):
    """Why the first parameter is not known, as the end of "…, and its first layer is not made there"."""


def first_parameter(cls: Class) -> str:
    """The path from an instance of the class to its first parameter: ``encoder.weight``. Raises `Unsure`."""
    init, own = cls.methods.get("__init__"), _own(cls)
    if init is None or cls.ancestors or cls.foreign_bases != ["torch.nn.Module"]:
        raise Unsure(f"`{cls.name}` is made by another class's `__init__`, too")
    for statement in init.node.body:
        for target, value in _stores(statement):
            name = init.self_attribute(target)
            if name is None or (own and name not in own):
                continue
            rest = "" if own else _first_of(init, name, value)
            if rest is not None:
                return name + rest
        if _makes(init, statement, own):
            raise Unsure("what is made first is not plain there")
    raise Unsure("nothing that has parameters is made in `__init__`")


def parameter_of(cls: Class, attributes: Sequence[str]) -> str:
    """The path from an instance to the first parameter of what it holds under a chain of names. Raises `Unsure`."""
    name, *others = attributes
    values = cls.assigned.get(name, ())
    init, value = values[0] if len(values) == 1 else (None, None)
    if init is None or init.name != "__init__":
        raise Unsure(f"`{name}` is not made once, in `__init__`")
    if others:
        made = cls.file.class_named(cls.file.origin(value.func)) if isinstance(value, ast.Call) else None
        if made is None:
            raise Unsure(f"what `{name}` holds is not known")
        return f"{name}.{parameter_of(made, others)}"
    rest = _first_of(init, name, value)
    if rest is None:
        raise Unsure(f"`{name}` has no parameters")
    return name + rest


def _own(cls: Class) -> set[str]:
    """The parameters that are the instance's own: these come before those of its layers."""
    origin = cls.file.origin
    found = {
        (c, m.name, name) for c in (cls, *cls.subclasses) for name, pairs in c.assigned.items() for m, v in pairs
        if isinstance(v, ast.Call) and origin(v.func) in _PARAMETERS
    }  # fmt: skip
    if any(c is not cls or method != "__init__" for c, method, _ in found):
        raise Unsure("another method makes parameters")
    if any(name in m.self_attributes for m in cls.methods.values() for name in _REGISTERS):
        raise Unsure("it registers parameters or layers by name")
    for c in (cls, *cls.subclasses):
        for name, pairs in c.assigned.items():
            if any(_may_be_parameter(method, value) for method, value in pairs) and not _is_called(c, name):
                raise Unsure(f"whether `{name}` is a parameter of its own is not known")
    return {name for _, _, name in found}


def _may_be_parameter(method: Function, value: ast.expr | None) -> bool:
    """Whether a value is one that may be a parameter, without the call that makes it there."""
    if isinstance(value, ast.Call):
        origin = method.file.origin(value.func)
        made = method.file.class_named(origin)
        if origin in _PARAMETERS or (made is not None and made.is_module) or _is_of_torch(origin):
            return False
    return not registers_nothing(method, value)


def _is_called(cls: Class, name: str) -> bool:
    """Whether the class calls what it holds under a name, which parameters do not take."""
    methods = (m for c in (cls, *cls.ancestors, *cls.subclasses) for m in c.methods.values())
    parents = cls.file.parents
    calls = ((n, parents[n]) for m in methods for n in m.self_attributes.get(name, ()))
    return any(isinstance(call, ast.Call) and call.func is n for n, call in calls)


def _is_of_torch(origin: str) -> bool:
    """Whether it is the class of a layer of torch."""
    head, _, name = origin.rpartition(".")
    return head in ("torch.nn", "torch.nn.modules") and name[:1].isupper() and name not in ("Buffer", "Parameter")


def _makes(init: Function, statement: ast.stmt, own: set[str]) -> bool:
    """Whether a statement that is no plain assignment may make the first layer or parameter."""
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        return False
    for node in walk(statement):
        name = init.self_attribute(node)
        if name is not None and (isinstance(node.ctx, ast.Store) if not own else name in own):  # type: ignore[attr-defined]
            return True
        if not own and name is not None and isinstance(init.file.parents[node], ast.Call):
            return True  # a method of its own
    return False


def _stores(statement: ast.stmt) -> list[tuple[ast.expr, ast.expr | None]]:
    if isinstance(statement, ast.Assign):
        return [pair for target in statement.targets for pair in assigned_pairs(target, statement.value)]
    return [(statement.target, statement.value)] if isinstance(statement, ast.AnnAssign) else []


def _first_of(init: Function, name: str, value: ast.expr | None) -> str | None:
    """The path from the attribute to its first parameter; None for a value without any. Raises `Unsure`."""
    file, cls = init.file, init.cls
    if any(
        n.attr == name and isinstance(n.ctx, ast.Store) and not _is_self(n.value, init) for n in file.of(ast.Attribute)
    ):
        raise Unsure(f"`{name}` is set from outside")
    if registers_nothing(init, value):
        return None
    if not isinstance(value, ast.Call):
        raise Unsure(f"`{name}` is not made there")
    origin = file.origin(value.func)
    made = file.class_named(origin)
    if made is not None and made is not cls:
        return f".{first_parameter(made)}"
    layer = origin.removeprefix("torch.nn.")
    if origin == f"torch.nn.{layer}":
        if layer == "Sequential" and value.args and not isinstance(value.args[0], ast.Starred):
            for place, argument in enumerate(value.args):
                rest = _first_of(init, f"{name}[{place}]", argument)
                if rest is not None:
                    return f"[{place}]{rest}"
            return None
        unpacked = any(isinstance(a, ast.Starred) for a in value.args)
        by_position = unpacked or len(value.args) > _BEFORE_AFFINE.get(layer, len(value.args))
        by_name = any(k.arg is None or k.arg in _MAY_BE_NONE for k in value.keywords)
        if layer in _FIRST and not by_position and not by_name:
            return f".{_FIRST[layer]}"
        if origin in LAYERS or layer == "Identity":
            return None
    raise Unsure(f"what `{name}` holds is not known")


def _is_self(node: ast.expr, init: Function) -> bool:
    return isinstance(node, ast.Name) and node.id == init.self_name
