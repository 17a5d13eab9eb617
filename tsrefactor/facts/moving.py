"""Writes an outlined piece of a function as a `script_if_tracing` function, and a call in its place."""

from __future__ import annotations

import ast
from collections.abc import Set
from dataclasses import dataclass

from tsrefactor.source.edits import Edit, InsertBefore, Replace
from tsrefactor.source.excerpt import excerpt, indented, spread
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Placement

from .definitions import Function
from .freezing import Freezing
from .names import fresh
from .outline import Outline, outline_expression
from .own_values import Unmovable, walk_all
from .plain_methods import as_function
from .types import TENSOR


@dataclass(frozen=True)
class Moved:
    """An expression that a function ``name`` of its own computes: the edits, and what a finding says of them."""

    name: str
    edits: list[Edit]
    imports: frozenset[Import]
    presumed: bool
    caveat: str | None


def moved_expression(function: Function, node: ast.expr, placement: Placement, taken: set[str]) -> Moved:
    """Moves an expression into a `script_if_tracing` function, whose name goes to those that are ``taken``.

    Raises Unmovable, or ValueError where the text cannot be moved.
    """
    try:
        found = outline_expression(function, node)
    except Unmovable:
        found = outline_expression(function, node, Freezing(function).names)
    name = expression_name(function, found, taken)
    edits, imports = moved(function, found, placement, name)
    taken.add(name)
    return Moved(name, edits, imports, found.presumed, overriding(found))


def moved(function: Function, found: Outline, placement: Placement, name: str) -> tuple[list[Edit], frozenset[Import]]:
    """The edits that put a call of a new function in the place of what was outlined, and the imports that they need.

    Raises ValueError where the text cannot be moved.
    """
    file = function.file
    decorator, needed = file.spell("torch.jit.script_if_tracing")
    lists, more = _typed_lists(function, found)
    found.changes |= lists
    imports = set(needed | more | found.imports)
    parameters = []
    for argument in found.arguments:
        text = argument.name
        if argument.type != TENSOR:
            annotation, more = file.spell_type(argument.type)
            text, imports = f"{text}: {annotation}", imports | more
        parameters.append(text)
    indent = _indent(function)
    header = f"@{decorator}\n{spread(f'def {name}(', parameters, '):', indent)}\n"
    helper = header + indented("\n".join(_body(function, found)), indent)
    values, more = _values(function, found, placement)
    imports |= more
    if found.expression is not None:
        edits = _in_expression(function, found, placement, helper, f"{name}({', '.join(values)})")
    else:
        given_to = "return" if found.returns else f"{', '.join(found.results)} ="
        call = spread(f"{given_to} {name}(", values, ")", indent)
        edits = _in_statements(function, found, placement, helper, call)
    functions: list[Edit] = []
    for made in found.methods:
        more_edits, more = as_function(made)
        functions, imports = functions + more_edits, imports | more
    return functions + edits + _removals(function, found), frozenset(imports)


def _values(function: Function, found: Outline, placement: Placement) -> tuple[list[str], frozenset[Import]]:
    """What the call passes, and the imports that it needs: a size as a tensor, also where none is traced.

    One that a call gives the function, or that is made of it, may be a plain number in a trace, too.
    """
    values: list[str] = []
    own = function.dependence.sized_names - {p.name for p in function.parameters}
    imports: frozenset[Import] = frozenset()
    for argument in found.arguments:
        value = argument.value
        if argument.size and (placement is Placement.MODULE or value not in own):
            (made, more), (long, others) = (function.file.spell(f"torch.{n}") for n in ("scalar_tensor", "long"))
            value, imports = f"{made}({value}, dtype={long})", imports | more | others
        values.append(value)
    return values, imports


def overriding(found: Outline) -> str | None:
    """What to know where a method becomes a function: it is called as such, whatever a class elsewhere makes of it.

    So it is with a layer's function, and hooks of the layer.
    """
    names = ", ".join(f"`{m.function.name}`" for m in found.methods if m.function.name != "forward")
    layers = ", ".join(f"`{layer}`" for layer in dict.fromkeys(found.layers))
    told = [f"a class of another file that overrides {names} is not asked here any more"] if names else []
    told += (
        [f"a function is called in place of {layers}: hooks, or another layer under that name, are not"]
        if layers
        else []
    )
    return "; ".join(told) or None


def free_name(function: Function, taken: Set[str], wanted: str) -> str:
    """A name for a helper that neither the function nor the module has, nor a method that becomes a function."""
    file = function.file
    methods = {f"_{f.name.strip('_')}" for f in file.all_functions if f.cls is not None}
    methods |= set(file.method_functions.values())
    return fresh(taken | function.flow.local_names | file.module_names | methods, wanted)


def expression_name(function: Function, found: Outline, taken: Set[str]) -> str:
    """A free name for what computes an expression: by the name it is given, else by what it does (``_slice_x``)."""
    node, statement = found.expression, found.statements[0]
    target = statement.targets[0] if isinstance(statement, ast.Assign) and statement.value is node else None
    tensors = [a.name for a in found.arguments]
    if isinstance(target, ast.Name):
        return free_name(function, taken, f"_{'update' if target.id in tensors else 'compute'}_{target.id}")
    called = node.func if isinstance(node, ast.Call) else None
    does = "slice" if isinstance(node, ast.Subscript) else "compute"
    if isinstance(called, ast.Attribute):
        does = called.attr.strip("_")
    return free_name(function, taken, "_".join(["", does, *tensors[:1]]))


def _typed_lists(function: Function, found: Outline) -> tuple[dict[ast.expr, str], frozenset[Import]]:
    """New source for lists of numbers that start empty, which TorchScript takes for lists of tensors, and imports."""
    changes: dict[ast.expr, str] = {}
    imports: frozenset[Import] = frozenset()
    for node in walk_all([*found.definitions, *([] if found.expression is not None else found.statements)]):
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if not isinstance(node, ast.Assign) or not isinstance(target, ast.Name):
            continue
        type_ = function.types.of_name(target.id)
        empty = isinstance(node.value, ast.List) and not node.value.elts
        if empty and type_.known and type_.name == "List" and type_.args[0] != TENSOR:
            annotate, more = function.file.spell("torch.jit.annotate")
            annotation, others = function.file.spell_type(type_)
            changes[node.value] = f"{annotate}({annotation}, [])"
            imports |= more | others
    return changes, imports


def _body(function: Function, found: Outline) -> list[str]:
    source = function.file.source
    body = [excerpt(source, [d], found.changes, after=found.additions) for d in found.definitions]
    if found.expression is not None:
        return [*body, f"return {_expression_text(function, found)}"]
    body.append(excerpt(source, found.statements, found.changes, found.checks, found.additions))
    return body if found.returns else [*body, f"return {', '.join(found.results)}"]


def _expression_text(function: Function, found: Outline) -> str:
    """The author's text of the expression, with the changes in it, at the left margin."""
    source, node = function.file.source, found.expression
    assert node is not None
    start, end = source.span(node)
    text = source.text[start:end]
    spans = [(*source.span(n), new) for n, new in found.changes.items()]
    spans += [(source.span(n)[1], source.span(n)[1], new) for n, new in found.additions.items()]
    for a, b, new in sorted((s for s in spans if start <= s[0] and s[1] <= end), reverse=True):
        text = text[: a - start] + new + text[b - start :]
    if "\n" not in text and "\r" not in text:
        return text
    if "#" in text:
        raise ValueError("a comment stands inside it")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    margin = " " * function.file.statement_of(node).col_offset
    text = "\n".join([lines[0], *(line.removeprefix(margin) for line in lines[1:])])
    return text if isinstance(node, (ast.Call, ast.Subscript, ast.List, ast.ListComp)) else f"({text})"


def _in_expression(function: Function, found: Outline, placement: Placement, helper: str, call: str) -> list[Edit]:
    node, statement = found.expression, found.statements[0]
    assert node is not None
    anchor: ast.stmt = statement
    if placement is Placement.MODULE:
        anchor = function.file.top_level_of(function.node)
    elif not isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.Expr)):
        raise ValueError("it stands in the head of a block")
    else:  # in the place of what goes away right above
        above = function.file.block_of(statement)[: function.file.block_of(statement).index(statement)]
        gone = [
            e.target[0] for e in _removals(function, found) if isinstance(e, Replace) and isinstance(e.target, list)
        ]
        while above and above[-1] in gone:
            anchor = above.pop()
    insert = InsertBefore(anchor, "{helper}", {"helper": helper})
    return [insert, Replace(node, "{call}", {"call": call})]


def _in_statements(function: Function, found: Outline, placement: Placement, helper: str, call: str) -> list[Edit]:
    if placement is Placement.INNER:
        return [Replace(found.statements, "{helper}\n\n{call}", {"helper": helper, "call": call})]
    return [
        InsertBefore(function.file.top_level_of(function.node), "{helper}", {"helper": helper}),
        Replace(found.statements, "{call}", {"call": call}),
    ]


def _removals(function: Function, found: Outline) -> list[Edit]:
    """Takes out the repeated assignments that nothing else needs, where no comment or empty line is about them."""
    source = function.file.source
    edits: list[Edit] = []
    for statement in found.obsolete:
        block, above = function.file.block_of(statement), source.lines[statement.lineno - 2].strip()
        alone = len(block) == 1 or not above or above.startswith("#")
        if not alone and "#" not in source.lines[(statement.end_lineno or statement.lineno) - 1]:
            edits.append(Replace([statement], ""))
    return edits


def _indent(function: Function) -> str:
    """One step of the file's indentation, as the function has it."""
    first, lines = function.node.body[0], function.file.source.lines
    inner = lines[first.lineno - 1][: first.col_offset]
    return inner[function.node.col_offset :] if not inner.strip() and len(inner) > function.node.col_offset else "    "
