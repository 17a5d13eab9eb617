"""Templates: Python source with ``{name}`` placeholders, filled with libcst nodes of the author's own code."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from functools import lru_cache

import libcst as cst

from .edits import Pieces

Kept = cst.BaseExpression | Sequence[cst.BaseStatement]
_ATOMS = (
    cst.Name, cst.Attribute, cst.Call, cst.Subscript, cst.Integer, cst.Float, cst.SimpleString, cst.FormattedString,
    cst.List, cst.Dict, cst.Set, cst.ListComp, cst.DictComp, cst.SetComp,
)  # fmt: skip
# Places where any expression but a few may stand without parentheses.
_BRACKETED = (cst.Arg, cst.Element, cst.Index, cst.SubscriptElement, cst.ListComp, cst.GeneratorExp)
_DELIMITED = (*_BRACKETED, cst.Return, cst.Expr, cst.Assign, cst.AnnAssign)
# Places where `not`, `and`, `or` and comparisons may; the first and last may inside `and` and `or`, too.
_TESTS = (cst.Comparison, cst.UnaryOperation)
_CONDITIONS = (cst.If, cst.While, cst.Assert, cst.IfExp)
_LOOSE = (cst.Yield, cst.NamedExpr, cst.GeneratorExp)
_PREFIX = "__placeholder_"


class TemplateError(ValueError):
    """A template that does not parse, or names a piece that is not there: a defect of the rule."""


def fill_statements(template: str, texts: Mapping[str, str], kept: Mapping[str, Kept]) -> list[cst.BaseStatement]:
    """The statements of a template; a placeholder alone on its line may stand for statements."""
    module = _parse(_substitute(template, texts, kept)).visit(_Filler(kept))
    body: list[cst.BaseStatement] = list(module.body)
    if body and module.header:  # blank lines and comments before the first statement
        body[0] = body[0].with_changes(leading_lines=[*module.header, *body[0].leading_lines])  # type: ignore[attr-defined]
    return body


def comments_before(template: str, texts: Mapping[str, str], kept: Mapping[str, Kept]) -> list[cst.EmptyLine]:
    """The comment lines before a template's first statement."""
    return [line for line in _parse(_substitute(template, texts, kept)).header if line.comment is not None]


def fill_expression(template: str, texts: Mapping[str, str], kept: Mapping[str, Kept]) -> cst.BaseExpression:
    """The expression of a template."""
    statements = fill_statements(f"_({template})\n", texts, kept)
    call = statements[0].body[0].value  # type: ignore[attr-defined]
    if len(call.args) == 1:
        return call.args[0].value
    return cst.Tuple([cst.Element(a.value) for a in call.args], lpar=[], rpar=[])


def needs_parentheses(node: cst.BaseExpression, parent: cst.CSTNode | None) -> bool:
    """Whether an expression must be parenthesised to stand where ``parent`` is around it."""
    if isinstance(node, _ATOMS) or node.lpar:
        return False
    if isinstance(node, cst.Tuple):
        return not isinstance(parent, cst.For)  # `for i, layer in …`
    delimited = isinstance(parent, _DELIMITED) and not isinstance(node, _LOOSE)
    delimited |= isinstance(parent, _CONDITIONS) and isinstance(node, (*_TESTS, cst.BooleanOperation))
    delimited |= isinstance(parent, cst.BooleanOperation) and isinstance(node, _TESTS)
    inside_brackets = isinstance(parent, _BRACKETED)
    return not delimited or (not inside_brackets and "\n" in cst.Module([]).code_for_node(node))


def split_pieces(pieces: Pieces) -> tuple[dict[str, str], dict[str, object]]:
    """Separates textual pieces from kept code."""
    texts = {k: v for k, v in pieces.items() if isinstance(v, str)}
    return texts, {k: v for k, v in pieces.items() if not isinstance(v, str)}


def _substitute(template: str, texts: Mapping[str, str], kept: Mapping[str, Kept]) -> str:
    parts = []
    for literal, name, spec, _ in string.Formatter().parse(template):
        parts.append(literal)
        if name is None:
            continue
        if spec or (name not in texts and name not in kept):
            raise TemplateError(f"no piece for placeholder {name!r} of {template!r}")
        parts.append(texts[name] if name in texts else _PREFIX + name)
    return "".join(parts)


@lru_cache(maxsize=512)
def _parse(text: str) -> cst.Module:
    try:
        return cst.parse_module(text if text.endswith("\n") else text + "\n")
    except cst.ParserSyntaxError as error:
        raise TemplateError(f"{error.message} in template {text!r}") from error


class _Filler(cst.CSTTransformer):
    def __init__(self, kept: Mapping[str, Kept]):
        super().__init__()
        self.kept = {_PREFIX + name: node for name, node in kept.items()}
        self.parents: list[cst.CSTNode] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        self.parents.append(node)
        return True

    def on_leave(self, original_node, updated_node):
        self.parents.pop()
        if isinstance(updated_node, cst.EmptyLine) and updated_node.comment is None:
            return updated_node.with_changes(indent=False)  # no trailing blanks where the template is indented
        if isinstance(original_node, cst.Name) and (piece := self.kept.get(original_node.value)) is not None:
            if not isinstance(piece, cst.BaseExpression):
                return updated_node  # statements: replaced with their line, below
            if needs_parentheses(piece, self.parents[-1] if self.parents else None):
                return piece.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
            return piece
        if isinstance(original_node, cst.SimpleStatementLine) and len(original_node.body) == 1:
            expression = original_node.body[0]
            if isinstance(expression, cst.Expr) and isinstance(expression.value, cst.Name):
                piece = self.kept.get(expression.value.value)
                if piece is not None and not isinstance(piece, cst.BaseExpression):
                    return cst.FlattenSentinel(piece)
        return updated_node
