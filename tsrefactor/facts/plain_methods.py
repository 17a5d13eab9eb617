"""Methods that only compute, with what they are given and read: as functions, compiled code without ``self`` can call
them. So can it the ``forward`` of a layer whose class is in the file.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tsrefactor.source.edits import Edit, InsertBefore, Replace
from tsrefactor.source.excerpt import excerpt, indented, spread
from tsrefactor.source.imports import Import

from .kept import is_stored_once
from .listed_layers import listed_layer
from .names import fresh, snake
from .types import TENSOR, UNKNOWN, Type

if TYPE_CHECKING:
    from .definitions import Class, Function, Parameter
    from .own_values import OwnValues


@dataclass(frozen=True)
class CalledMethod:
    """A method that is called on ``self``, or on a ``layer`` of its ``attribute``, whose source is ``owner``."""

    method: Function
    layer: str = ""
    owner: str = ""
    attribute: str = ""


def plain_method(function: Function, call: ast.Call) -> CalledMethod | None:
    """The method that ``self.name(…)`` calls, where it is one for all classes of the file: whatever that is in a
    subclass, the function would be called. A layer's is ``forward``, where the class makes it once.
    """
    cls, name = function.cls, function.self_attribute(call.func)
    if cls is None:
        return None
    if name is None:
        return _forward_in_list(function, call)
    method = cls.method(name)
    if method is None:
        return _forward_of(cls, name, ast.unparse(call.func))
    if method.cls is None or method.name == "forward" or not _only_computes(method):
        return None
    family = dict.fromkeys([cls, *cls.ancestors, *cls.subclasses, method.cls, *method.cls.subclasses])
    if any(method.name in c.assigned or (method.name in c.methods and c is not method.cls) for c in family):
        return None
    return CalledMethod(method)


def _forward_in_list(function: Function, call: ast.Call) -> CalledMethod | None:
    """The ``forward`` of a layer of a list, all of whose layers are of one class of the file."""
    layer = listed_layer(function, call.func)
    if layer is None:
        return None
    classes = {m.file.class_named(m.file.origin(made.func)) for m, made in layer.made}
    method = _forward(classes.pop()) if len(classes) == 1 else None
    return CalledMethod(method, layer.name, layer.owner, layer.attribute) if method is not None else None


def _forward_of(cls: Class, name: str, owner: str) -> CalledMethod | None:
    """The ``forward`` of the layer in an attribute, which is of a class of the file."""
    made = [v for c in (cls, *cls.ancestors, *cls.subclasses) for _, v in c.assigned.get(name, ())]
    layer = made[0] if len(made) == 1 else None
    made_of = cls.file.class_named(cls.file.origin(layer.func)) if isinstance(layer, ast.Call) else None
    method = _forward(made_of)
    return CalledMethod(method, name, owner, name) if method is not None and is_stored_once(cls, name) else None


def _forward(made_of: Class | None) -> Function | None:
    """The ``forward`` of a class of the file, where it is all that a call runs, and only computes."""
    method = made_of.methods.get("forward") if made_of is not None else None
    if made_of is None or method is None or "__call__" in made_of.methods:
        return None
    return method if _only_computes(method) else None


def _only_computes(method: Function) -> bool:
    """Whether it is a method of a plain module, with parameters that a function can have, and gives something back."""
    assert method.cls is not None
    if not isinstance(method.node, ast.FunctionDef) or method.node.decorator_list:
        return False
    if method.cls.foreign_bases != ["torch.nn.Module"]:
        return False
    results = [r.value for r in method.of(ast.Return)]
    plain = all(p.kind == "positional" and (p.default is None or _is_literal(p.default)) for p in method.parameters)
    return plain and bool(results) and None not in results


def type_is_told(method: Function, parameter: Parameter, given: bool) -> bool:
    """Whether a function made of the method can have a parameter, of which ``given`` says that it gets a tensor."""
    if parameter.annotation is not None:
        return True
    type_ = method.types.of_name(parameter.name)
    if type_ == TENSOR or (not type_.known and given and parameter.default is None):
        return True
    calls = method.file.callers.given(method, parameter.name)
    taken = {UNKNOWN, type_, *(type_.args if type_.name == "Optional" else ())}
    return type_.known and type_.name != "Union" and all(c.type_of(v) in taken for c, v in calls)


def function_name(method: Function) -> str:
    """The name of the function: that to which the method already hands all on, else a free one, given out once."""
    file = method.file
    given, plain = file.method_functions, method.name.strip("_")
    if method not in given:
        taken = {*file.module_names, *file.names, *given.values()}
        owner = f"_{snake(method.cls.name)}_{plain}" if method.cls is not None else f"_{plain}"
        wanted = (owner,) if plain == "forward" else (f"_{plain}", owner)
        given[method] = handed_to(method) or fresh(taken, *wanted)
    return given[method]


def as_function(values: OwnValues) -> tuple[list[Edit], frozenset[Import]]:
    """The edits that make a function of a method, which then calls it, and the imports that they need.

    ``values`` says what the method reads. Raises ValueError where the text cannot be moved.
    """
    method = values.function
    if handed_to(method) is not None:
        return [], frozenset()
    source, name = method.file.source, function_name(method)
    own = [_typed(method, a.name, a.type) for a in values.arguments]
    written = [_parameter(method, p) for p in method.parameters] + own
    result = f" -> {source.segment(method.node.returns)}" if method.node.returns is not None else ""
    body = method.code
    indent = " " * (body[0].col_offset - method.node.col_offset)
    helper = spread(f"def {name}(", [text for text, _ in written], f"){result}:", indent) + "\n"
    helper += indented(excerpt(source, body, values.changes, values.checks, values.additions), indent)
    given = [*(p.name for p in method.parameters), *(a.value for a in values.arguments)]
    call = spread(f"return {name}(", given, ")", indent)
    imports = values.imports.union(*(more for _, more in written))
    return [
        InsertBefore(method.file.top_level_of(method.node), "{helper}", {"helper": helper}),
        Replace(body, "{call}", {"call": call}),
    ], imports


def _parameter(method: Function, parameter: Parameter) -> tuple[str, frozenset[Import]]:
    """A parameter of the function, with the author's annotation, or the type of a number where there is none."""
    source, imports = method.file.source, frozenset[Import]()
    text, type_ = parameter.name, method.types.of_name(parameter.name)
    typed = parameter.annotation is not None or type_ not in (TENSOR, UNKNOWN)
    if parameter.annotation is not None:
        text += f": {source.segment(parameter.annotation)}"
    elif typed:
        annotation, imports = method.file.spell_type(type_)
        text += f": {annotation}"
    if parameter.default is not None:
        text += f"{' = ' if typed else '='}{source.segment(parameter.default)}"
    return text, imports


def _typed(method: Function, name: str, type_: Type) -> tuple[str, frozenset[Import]]:
    """A parameter for what the method reads of ``self``."""
    if type_ == TENSOR:
        return name, frozenset()
    annotation, imports = method.file.spell_type(type_)
    return f"{name}: {annotation}", imports


def handed_to(method: Function) -> str | None:
    """The function of the file that the method does nothing but call, with its own parameters first."""
    code = method.code
    value = code[0].value if len(code) == 1 and isinstance(code[0], ast.Return) else None
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Name) or value.keywords:
        return None
    count = len(method.parameters)
    same = [a.id for a in value.args[:count] if isinstance(a, ast.Name)] == [p.name for p in method.parameters]
    own = all(isinstance(a, ast.Attribute) for a in value.args[count:])
    known = method.file.function_named(value.func.id) is not None
    return value.func.id if same and own and known else None


def _is_literal(node: ast.expr) -> bool:
    value = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(value, ast.Constant)
