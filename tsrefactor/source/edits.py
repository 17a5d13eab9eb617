"""Edits: what a rule wants changed, described on `ast` nodes.

A template is Python source with ``{name}`` placeholders for the pieces of the author's code that it keeps, with their
formatting and comments; braces are doubled as in `str.format`. `tsrefactor.source.surgery` makes the edits with
libcst and finds each node there by its position.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, eq=False)
class Piece:
    """Code that a template keeps: an expression or consecutive statements of one block.

    ``changes`` gives new source for expressions inside it (``self.threshold`` → ``threshold``).
    """

    kept: ast.expr | Sequence[ast.stmt]
    changes: Mapping[ast.expr, str] = field(default_factory=dict)


# A string is put into the template as it is: a name, a type.
Pieces = Mapping[str, "Piece | ast.expr | Sequence[ast.stmt] | str"]


def verbatim(code: str) -> str:
    """Code as a template that writes just that: its own braces are no placeholders."""
    return code.replace("{", "{{").replace("}", "}}")


@dataclass(frozen=True, eq=False)
class Replace:
    """Puts a template in the place of an expression, or of consecutive statements of one block."""

    target: ast.expr | Sequence[ast.stmt]
    template: str
    pieces: Pieces = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class InsertBefore:
    """Puts statements before a statement (above the comment that stands directly over it)."""

    anchor: ast.stmt
    template: str
    pieces: Pieces = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class InsertAfter:
    """Puts statements after a statement, in the same block."""

    anchor: ast.stmt
    template: str
    pieces: Pieces = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class AddElse:
    """Gives an ``if`` (with its ``elif``) that has no ``else`` one, with these statements."""

    chain: ast.If
    template: str
    pieces: Pieces = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class AddToClass:
    """Puts declarations at the head of a class body, after the docstring."""

    cls: ast.ClassDef
    template: str


@dataclass(frozen=True, eq=False)
class AddBase:
    """Gives a class that names no base one."""

    cls: ast.ClassDef
    base: str


@dataclass(frozen=True, eq=False)
class AnnotateParameter:
    """Gives a parameter of a function an annotation (or replaces the one it has)."""

    function: ast.FunctionDef | ast.AsyncFunctionDef
    parameter: str
    annotation: str


@dataclass(frozen=True, eq=False)
class AnnotateReturn:
    """Gives a function a return annotation (or replaces the one it has)."""

    function: ast.FunctionDef | ast.AsyncFunctionDef
    annotation: str


@dataclass(frozen=True, eq=False)
class RenameFunction:
    """Gives a function another name where it is defined (not where it is called)."""

    function: ast.FunctionDef | ast.AsyncFunctionDef
    name: str


@dataclass(frozen=True, eq=False)
class AddDecorator:
    """Puts a decorator above those that a function has, on a line of its own."""

    function: ast.FunctionDef | ast.AsyncFunctionDef
    decorator: str


@dataclass(frozen=True, eq=False)
class RemoveDecorator:
    """Takes a decorator off a function, with its line."""

    decorator: ast.expr


@dataclass(frozen=True, eq=False)
class SpellOutParameters:
    """Takes ``*args``, a bare ``*`` and ``**kwargs`` out of a function's header.

    ``positional`` (source of parameters) stands where ``*args`` stood. Keyword-only parameters and ``keywords`` follow,
    those without a default first; where a default already stands before them, these stay keyword-only, at the end.
    """

    function: ast.FunctionDef | ast.AsyncFunctionDef
    positional: Sequence[str] = ()
    keywords: Sequence[str] = ()


Edit = (
    Replace
    | InsertBefore
    | InsertAfter
    | AddElse
    | AddToClass
    | AddBase
    | AnnotateParameter
    | AnnotateReturn
    | RenameFunction
    | AddDecorator
    | RemoveDecorator
    | SpellOutParameters
)


def target_of(edit: Edit) -> ast.AST:
    """The (first) node that an edit is about: where it is reported."""
    match edit:
        case Replace(target=target):
            return target if isinstance(target, ast.expr) else target[0]
        case InsertBefore(anchor=anchor) | InsertAfter(anchor=anchor):
            return anchor
        case AddElse(chain=chain):
            return chain
        case RemoveDecorator(decorator=decorator):
            return decorator
        case AddToClass(cls=cls) | AddBase(cls=cls):
            return cls
        case AnnotateParameter(function=function, parameter=name):
            arguments = function.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
            return next(a for a in every if a is not None and a.arg == name)
        case (
            AnnotateReturn(function=function)
            | RenameFunction(function=function)
            | AddDecorator(function=function)
            | SpellOutParameters(function=function)
        ):
            return function


def kept_arguments(
    arguments: Sequence[ast.expr], keywords: Sequence[ast.keyword]
) -> tuple[list[str], dict[str, ast.expr]]:
    """The arguments of a call as they are written: parts of a template, and their pieces."""
    pieces = {f"a{i}": argument for i, argument in enumerate(arguments)}
    pieces |= {f"k{i}": keyword.value for i, keyword in enumerate(keywords)}
    parts = [f"{{a{i}}}" for i in range(len(arguments))]
    parts += [f"{k.arg}={{k{i}}}" if k.arg else f"**{{k{i}}}" for i, k in enumerate(keywords)]
    return parts, pieces
