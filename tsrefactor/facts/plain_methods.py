"""Methods that only compute with what they are given: as functions, compiled code without ``self`` can call them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from tsrefactor.source.edits import Edit, InsertBefore, Replace
from tsrefactor.source.excerpt import excerpt, indented
from tsrefactor.source.imports import Import

from .names import fresh, snake
from .types import TENSOR, UNKNOWN

if TYPE_CHECKING:
    from .definitions import Function, Parameter


def plain_method(function: Function, call: ast.Call) -> Function | None:
    """The method that ``self.name(…)`` calls, where it is one for all classes of the file and reads no ``self``."""
    cls, name = function.cls, function.self_attribute(call.func)
    method = cls.method(name) if cls is not None and name is not None else None
    if cls is None or method is None or method.cls is None or not isinstance(method.node, ast.FunctionDef):
        return None
    family = dict.fromkeys([cls, *cls.ancestors, *cls.subclasses, method.cls, *method.cls.subclasses])
    if method.node.decorator_list or method.name == "forward" or method.cls.foreign_bases != ["torch.nn.Module"]:
        return None
    if any(method.name in c.assigned or (method.name in c.methods and c is not method.cls) for c in family):
        return None
    plain = all(p.kind == "positional" and (p.default is None or _is_literal(p.default)) for p in method.parameters)
    reads = any(isinstance(n, ast.Name) and n.id == method.self_name for n in ast.walk(method.node))
    results = [r.value for r in method.of(ast.Return)]
    return method if plain and not reads and results and None not in results else None


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
        given[method] = _handed_to(method) or fresh(taken, f"_{plain}", owner)
    return given[method]


def as_function(method: Function) -> tuple[list[Edit], frozenset[Import]]:
    """The edits that make a function of a method, which then calls it, and the imports that they need.

    Raises ValueError where the text cannot be moved.
    """
    if _handed_to(method) is not None:
        return [], frozenset()
    source, name = method.file.source, function_name(method)
    written = [_parameter(method, p) for p in method.parameters]
    result = f" -> {source.segment(method.node.returns)}" if method.node.returns is not None else ""
    body = method.code
    indent = " " * (body[0].col_offset - method.node.col_offset)
    header = f"def {name}({', '.join(text for text, _ in written)}){result}:\n"
    helper = header + indented(excerpt(source, body), indent)
    call = f"{name}({', '.join(p.name for p in method.parameters)})"
    imports = frozenset[Import]().union(*(more for _, more in written))
    return [
        InsertBefore(method.file.top_level_of(method.node), "{helper}", {"helper": helper}),
        Replace(body, "return {call}", {"call": call}),
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


def _handed_to(method: Function) -> str | None:
    """The function of the file that the method does nothing but call, with its own parameters."""
    code = method.code
    value = code[0].value if len(code) == 1 and isinstance(code[0], ast.Return) else None
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Name) or value.keywords:
        return None
    same = [a.id for a in value.args if isinstance(a, ast.Name)] == [p.name for p in method.parameters]
    known = method.file.function_named(value.func.id) is not None
    return value.func.id if same and len(value.args) == len(method.parameters) and known else None


def _is_literal(node: ast.expr) -> bool:
    value = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(value, ast.Constant)
