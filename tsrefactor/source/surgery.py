"""Makes edits with libcst, in the one top-level statement that holds them, and returns them as text splices.

Only that statement is parsed. Whatever lies outside an edit must come out byte for byte: this is checked for every
edit, and one that fails the check is refused.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from .document import Splice
from .edits import (
    AddBase,
    AddDecorator,
    AddElse,
    AddToClass,
    AnnotateParameter,
    AnnotateReturn,
    Edit,
    InsertAfter,
    InsertBefore,
    Piece,
    RemoveDecorator,
    RenameFunction,
    Replace,
    SpellOutParameters,
)
from .excerpt import indent_of
from .file import SourceFile
from .parameters import spelled_out
from .statements import end_of, top_level_spans
from .templates import Kept, comments_before, fill_expression, fill_statements, needs_parentheses, split_pieces


class EditRefused(Exception):
    """The edit cannot be made without touching what it should not, or its place is not found by libcst."""


class Surgeon:
    """Makes the edits of one version of a file."""

    def __init__(self, source: SourceFile):
        self.source = _without_lone_returns(source)
        self._given = source
        self._chunks: dict[int, _Chunk] = {}
        self._owners = top_level_spans(source)

    def splice(self, edit: Edit) -> Splice:
        """The text splice that one edit amounts to. Raises EditRefused."""
        splice = self._spliced(edit)
        if self._given.newline != "\r":
            return splice
        return Splice(splice.start, splice.end, re.sub(r"(?<!\r)\n", "\r", splice.text))

    def _spliced(self, edit: Edit) -> Splice:
        match edit:
            case Replace(target=ast.expr() as node):
                return self._chunk(node).replace_expression(node, edit)
            case Replace(target=statements) if not isinstance(statements, ast.expr):
                return self._chunk(statements[0]).replace_statements(statements, edit)
            case InsertBefore(anchor=anchor) if anchor in self._given.tree.body:
                return self._before_top_level(anchor, edit)
            case InsertBefore(anchor=anchor) | InsertAfter(anchor=anchor):
                return self._chunk(anchor).insert(anchor, edit)
            case AddElse(chain=chain):
                return self._chunk(chain).add_else(chain, edit)
            case AddToClass(cls=cls):
                return self._chunk(cls).add_to_class(cls, edit)
            case AddBase(cls=cls, base=base):
                return self._based(cls, base)
            case AnnotateParameter(function=function) | AnnotateReturn(function=function):
                return self._chunk(function).annotate(function, edit)
            case RenameFunction(function=function, name=name):
                return self._chunk(function).rename(function, name)
            case SpellOutParameters(function=function):
                return self._chunk(function).spell_out(edit)
            case AddDecorator(function=function, decorator=text):
                return self._decorated(function, text)
            case RemoveDecorator(decorator=decorator):
                return self._without(decorator)
        raise TypeError(f"not an edit: {edit!r}")

    def _decorated(self, function: ast.FunctionDef | ast.AsyncFunctionDef, decorator: str) -> Splice:
        line = min([function.lineno, *(d.lineno for d in function.decorator_list)])
        indent = self.source.lines[line - 1][: function.col_offset]
        at = self.source.offset(line, 0)
        return Splice(at, at, f"{indent}@{decorator}{self.source.newline}")

    def _based(self, cls: ast.ClassDef, base: str) -> Splice:
        at = self.source.offset(cls.lineno, 0)
        head = re.compile(rf"\s*class\s+{cls.name}\s*(\(\s*\)\s*)?(?=:)").match(self.source.text, at)
        if head is None:
            raise EditRefused(f"the header of class {cls.name} is none that names no base")
        text = head.group().partition("(")[0].rstrip()
        return Splice(at, head.end(), f"{text}({base})")

    def _without(self, decorator: ast.expr) -> Splice:
        last = decorator.end_lineno or decorator.lineno
        return Splice(self.source.offset(decorator.lineno, 0), self.source.offset(last + 1, 0), "")

    def _chunk(self, node: ast.expr | ast.stmt) -> _Chunk:
        first, last = next((s for s in self._owners if s[0] <= node.lineno <= s[1]), (0, 0))
        if not first:
            raise EditRefused(f"line {node.lineno} belongs to no top-level statement")
        if first not in self._chunks:
            self._chunks[first] = _Chunk(self.source, first, last)
        return self._chunks[first]

    def _before_top_level(self, anchor: ast.stmt, edit: InsertBefore) -> Splice:
        chunk = self._chunk(anchor)
        statements = chunk.fill_statements(edit)
        code = chunk.module.with_changes(body=statements, header=[], footer=[], has_trailing_newline=True).code
        line, lines = chunk.first, self.source.lines
        while line > 1 and lines[line - 2].startswith("#") and not lines[line - 2].startswith("#!"):
            line -= 1  # a comment right above the statement is about it
        at = self.source.offset(line, 0)
        return Splice(at, at, code + 2 * self.source.newline)


def _without_lone_returns(source: SourceFile) -> SourceFile:
    """The file with ``\\n`` where a lone ``\\r`` ends a line, which libcst does not read; every place stays."""
    text = re.sub(r"\r(?!\n)", "\n", source.text)
    newline = "\n" if source.newline == "\r" else source.newline
    return source if text == source.text else replace(source, text=text, newline=newline)


class _Chunk:
    """One top-level statement, parsed with libcst."""

    def __init__(self, source: SourceFile, first: int, last: int):
        self.source, self.first = source, first
        self.start = source.offset(first, 0)
        self.end = end_of(source, last)
        text = source.text[self.start : self.end]
        config = cst.PartialParserConfig(default_indent=indent_of(source), default_newline=source.newline)
        try:
            self.module = cst.parse_module(text, config)
        except cst.ParserSyntaxError as error:
            raise EditRefused(f"libcst cannot parse lines {first}-{last}: {error.message}") from error
        if self.module.code != text:
            raise EditRefused(f"libcst does not give lines {first}-{last} back unchanged")

    @cached_property
    def _index(self) -> dict[tuple[int, int, int, int], list[cst.CSTNode]]:
        """Nodes by (line, column, end line, end column): 1-based lines of the chunk, columns in characters."""
        index: dict[tuple[int, int, int, int], list[cst.CSTNode]] = {}
        wrapper = MetadataWrapper(self.module, unsafe_skip_copy=True)
        for node, range_ in wrapper.resolve(PositionProvider).items():
            key = range_.start.line, range_.start.column, range_.end.line, range_.end.column
            index.setdefault(key, []).append(node)
        return index

    @cached_property
    def _parents(self) -> dict[cst.CSTNode, cst.CSTNode]:
        parents: dict[cst.CSTNode, cst.CSTNode] = {}
        stack: list[cst.CSTNode] = [self.module]
        while stack:
            node = stack.pop()
            for child in node.children:
                parents[child] = node
                stack.append(child)
        return parents

    # -- finding ---------------------------------------------------------------------------------------------------

    def _key(self, node: ast.expr | ast.stmt) -> tuple[int, int, int, int]:
        start, end = self.source.span(node)
        first_line, last_line = node.lineno, node.end_lineno or node.lineno
        return (
            first_line - self.first + 1,
            start - self.source.offset(first_line, 0),
            last_line - self.first + 1,
            end - self.source.offset(last_line, 0),
        )

    def expression(self, node: ast.expr) -> cst.BaseExpression:
        found = [n for n in self._index.get(self._key(node), ()) if isinstance(n, cst.BaseExpression)]
        if not found and isinstance(node, (ast.Tuple, ast.GeneratorExp)):
            line, column, end_line, end_column = self._key(node)  # libcst leaves the parentheses out
            found = [
                n
                for k, nodes in self._index.items()
                for n in nodes
                if isinstance(n, (cst.Tuple, cst.GeneratorExp))
                and (line, column) < k[:2]
                and k[2:] < (end_line, end_column)
            ]
            found.sort(key=lambda n: -len(self.module.code_for_node(n)))  # the outermost
        if not found:
            raise EditRefused(f"libcst has no expression at line {node.lineno}: {ast.unparse(node)}")
        return found[0]

    def statement(self, node: ast.stmt) -> cst.BaseStatement:
        """The whole-line statement; refused where several share a line."""
        kinds = (cst.BaseCompoundStatement, cst.BaseSmallStatement)
        key = self._key(node)
        found = [n for n in self._index.get(key, ()) if isinstance(n, kinds)]
        if not found:  # trailing comments can end a block later in libcst
            begins = (n for k, nodes in self._index.items() if k[:2] == key[:2] for n in nodes)
            found = [n for n in begins if isinstance(n, cst.BaseCompoundStatement)]
        if not found:
            raise EditRefused(f"libcst has no statement at line {node.lineno}")
        if isinstance(found[0], cst.BaseCompoundStatement):
            return found[0]
        line = self._parents[found[0]]
        if len(line.body) != 1:  # type: ignore[attr-defined]
            raise EditRefused(f"several statements share line {node.lineno}")
        if isinstance(line, cst.SimpleStatementSuite):
            raise EditRefused(f"the statement at line {node.lineno} shares its line with the block's header")
        return line  # type: ignore[return-value]

    def _place(self, node: cst.BaseStatement, origin: ast.stmt) -> tuple[cst.CSTNode, list[cst.BaseStatement], int]:
        """The block a statement stands in, its statements, and the position there."""
        block = self._parents[node]
        if not isinstance(block, (cst.IndentedBlock, cst.Module)):
            raise EditRefused(f"the `elif` at line {origin.lineno} is no statement of its own")
        body = [*block.body]
        return block, body, next(i for i, n in enumerate(body) if n is node)

    # -- filling ---------------------------------------------------------------------------------------------------

    def _kept(self, pieces: dict[str, object]) -> dict[str, Kept]:
        return {name: self._keep(value if isinstance(value, Piece) else Piece(value)) for name, value in pieces.items()}  # type: ignore[arg-type]

    def _keep(self, piece: Piece) -> Kept:
        changes = {self.expression(node): text for node, text in piece.changes.items()}
        if isinstance(piece.kept, ast.expr):
            return _changed(self.expression(piece.kept), changes)  # type: ignore[return-value]
        return [_changed(self.statement(s), changes) for s in piece.kept]  # type: ignore[misc]

    def fill_statements(self, edit: Replace | InsertBefore | InsertAfter | AddElse) -> list[cst.BaseStatement]:
        texts, pieces = split_pieces(edit.pieces)
        return fill_statements(edit.template, texts, self._kept(pieces))

    # -- editing ---------------------------------------------------------------------------------------------------

    def replace_expression(self, node: ast.expr, edit: Replace) -> Splice:
        old = self.expression(node)
        texts, pieces = split_pieces(edit.pieces)
        new = fill_expression(edit.template, texts, self._kept(pieces))
        start, end = self.source.span(node)
        if old.lpar and not isinstance(old, cst.Tuple):  # a tuple's parentheses are its own
            new = new.with_changes(lpar=old.lpar, rpar=old.rpar)
        elif needs_parentheses(new, self._parents[old]):
            new = new.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        return self._spliced(old, new, [(start, end)])

    def replace_statements(self, statements: Sequence[ast.stmt], edit: Replace) -> Splice:
        old = [self.statement(s) for s in statements]
        texts, pieces = split_pieces(edit.pieces)
        kept = self._kept(pieces)
        under = _kept_below(statements[0], edit, kept)
        new = fill_statements(edit.template, texts, kept)
        above = 0
        if under and new and new[0] is not under[0]:  # its comments go along, to where it stands now
            above = _attached_comments(old[0])
            lines = _leading_lines(old[0])
            split = len(lines) - above
            under[0] = under[0].with_changes(leading_lines=lines[split:])
            new = fill_statements(edit.template, texts, kept)
            new[0] = new[0].with_changes(leading_lines=lines[:split])
        elif new:
            new[0] = _carry(old[0], new[0])
            lines = [*_leading_lines(new[0]), *comments_before(edit.template, texts, kept)]
            new[0] = new[0].with_changes(leading_lines=lines)
        block, body, at = self._place(old[0], statements[0])
        if [id(n) for n in body[at : at + len(old)]] != [id(n) for n in old]:
            raise EditRefused(f"the statements at line {statements[0].lineno} do not follow one another")
        if new and not isinstance(old[0], cst.FunctionDef):
            new[0] = _set_apart(new[0], at)
        body[at : at + len(old)] = new
        if not body:
            raise EditRefused(f"nothing is left of the block at line {statements[0].lineno}")
        if not new:  # a comment goes with what it is about, empty lines stay
            above = _attached_comments(old[0])
            lines = list(_leading_lines(old[0])[: len(_leading_lines(old[0])) - above])
            if at < len(body):
                rest = list(_leading_lines(body[at]))
                while ((lines and lines[-1].comment is None) or not at) and rest and rest[0].comment is None:
                    rest.pop(0)
                body[at] = body[at].with_changes(leading_lines=[*lines, *rest])
            else:
                above += len(lines)
        start = self.source.offset(_first_line(statements[0]) - above, 0)
        ends = self._ends(statements[-1])
        if not new and not at:  # a block does not begin with empty lines
            line = statements[-1].end_lineno or statements[-1].lineno
            ends += [self.source.offset(n + 1, 0) for n in self._blank_after(line)]
        return self._spliced(block, block.with_changes(body=body), [(start, e) for e in ends])

    def _blank_after(self, line: int) -> Iterator[int]:
        """The empty lines right after a line."""
        while line < len(self.source.lines) - 1 and not self.source.lines[line].strip():
            line += 1
            yield line

    def insert(self, anchor: ast.stmt, edit: InsertBefore | InsertAfter) -> Splice:
        node, new = self.statement(anchor), self.fill_statements(edit)
        block, body, at = self._place(node, anchor)
        if isinstance(edit, InsertAfter):
            body[at + 1 : at + 1] = new
            regions = [(e, e) for e in self._ends(anchor)]
        else:
            comments = _attached_comments(node)
            lines = _leading_lines(node)
            blank = len(lines) - comments
            new[0] = new[0].with_changes(leading_lines=[*lines[:blank], *new[0].leading_lines])  # type: ignore[attr-defined]
            apart = [cst.EmptyLine(indent=False)] if isinstance(new[-1], cst.FunctionDef) else []
            new[0] = _set_apart(new[0], at)
            body[at : at + 1] = [*new, node.with_changes(leading_lines=[*apart, *lines[blank:]])]
            start = self.source.offset(_first_line(anchor) - comments, 0)
            regions = [(start, start)]
        return self._spliced(block, block.with_changes(body=body), regions)

    def add_else(self, chain: ast.If, edit: AddElse) -> Splice:
        node = self.statement(chain)
        while isinstance(node, cst.If) and isinstance(node.orelse, cst.If):
            node = node.orelse
        if not isinstance(node, cst.If) or node.orelse is not None:
            raise EditRefused(f"the `if` at line {chain.lineno} has an `else` already")
        new = node.with_changes(orelse=cst.Else(cst.IndentedBlock(self.fill_statements(edit))))
        return self._spliced(node, new, [(e, e) for e in self._ends(chain)])

    def add_to_class(self, cls: ast.ClassDef, edit: AddToClass) -> Splice:
        node = self.statement(cls)
        new = fill_statements(edit.template, {}, {})
        block = node.body  # type: ignore[attr-defined]
        if not isinstance(block, cst.IndentedBlock):
            raise EditRefused(f"the body of class {cls.name} shares its line")
        body, first = list(block.body), cls.body[0]
        documented = (
            isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
        )
        at = 1 if documented else 0
        declared = at < len(cls.body) and isinstance(cls.body[at], ast.AnnAssign)
        if at < len(body) and not declared:
            lines = list(_leading_lines(body[at]))
            if not lines or lines[0].comment is not None:
                body[at] = body[at].with_changes(leading_lines=[cst.EmptyLine(indent=False), *lines])
        if documented and not declared:
            new[0] = new[0].with_changes(leading_lines=[cst.EmptyLine(indent=False)])
        elif documented and (lines := _leading_lines(body[at])) and lines[0].comment is None:
            new[0] = new[0].with_changes(leading_lines=lines[:1])
            body[at] = body[at].with_changes(leading_lines=lines[1:])
        body[at:at] = new
        anchor = first if documented else None
        starts = (
            self._ends(anchor)
            if anchor
            else [self.source.offset(_first_line(first) - _attached_comments(block.body[0], every=True), 0)]
        )
        return self._spliced(block, block.with_changes(body=body), [(s, s) for s in starts])

    def annotate(
        self, function: ast.FunctionDef | ast.AsyncFunctionDef, edit: AnnotateParameter | AnnotateReturn
    ) -> Splice:
        node = self.statement(function)
        assert isinstance(node, cst.FunctionDef)
        annotation = cst.Annotation(cst.parse_expression(edit.annotation))
        if isinstance(edit, AnnotateReturn):
            after = cst.Annotation(annotation.annotation, whitespace_before_indicator=cst.SimpleWhitespace(" "))
            return self._trimmed(node, node.with_changes(returns=after))
        p = node.params
        every = [*p.posonly_params, *p.params, *p.kwonly_params, p.star_arg, p.star_kwarg]
        old = next((q for q in every if isinstance(q, cst.Param) and q.name.value == edit.parameter), None)
        if old is None:
            raise EditRefused(f"{function.name} has no parameter {edit.parameter}")
        new = old.with_changes(annotation=annotation)
        if old.default is not None and old.annotation is None:
            space = cst.SimpleWhitespace(" ")
            new = new.with_changes(equal=cst.AssignEqual(space, space))
        return self._trimmed(old, new)

    def rename(self, function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> Splice:
        node = self.statement(function)
        assert isinstance(node, cst.FunctionDef)
        return self._trimmed(node.name, cst.Name(name))

    def spell_out(self, edit: SpellOutParameters) -> Splice:
        node = self.statement(edit.function)
        assert isinstance(node, cst.FunctionDef)
        changed = spelled_out(node.params, edit.positional, edit.keywords)
        return self._trimmed(node.params, changed)

    # -- giving out ------------------------------------------------------------------------------------------------

    def _ends(self, statement: ast.stmt) -> list[int]:
        """Where the statement can end: after its last line, or after the comment lines that libcst counts to it."""
        line, lines, ends = statement.end_lineno or statement.lineno, self.source.lines, []
        while True:
            ends.append(self.source.offset(line + 1, 0) if line < len(lines) else len(self.source.text))
            if line >= len(lines) or (lines[line].strip() and not lines[line].lstrip().startswith("#")):
                return ends
            line += 1

    def _spliced(self, old: cst.CSTNode, new: cst.CSTNode, regions: Sequence[tuple[int, int]]) -> Splice:
        """The splice for putting ``new`` in place of ``old``, which must change nothing outside one of the regions."""
        before, after = self.module.code, _replaced(self.module, old, new)
        for start, end in regions:
            head, tail = start - self.start, len(before) - (end - self.start)
            if (
                len(after) >= head + tail
                and before[:head] == after[:head]
                and before[len(before) - tail :] == after[len(after) - tail :]
            ):
                return Splice(start, end, after[head : len(after) - tail])
        if not before.endswith(("\n", "\r")) and after.startswith(before):  # after a last line without a newline
            return Splice(self.end, self.end, after[len(before) :])
        raise EditRefused("the edit would change text outside its place")

    def _trimmed(self, old: cst.CSTNode, new: cst.CSTNode) -> Splice:
        """The splice between the two codes' common beginning and end: for edits inside a header line."""
        before, after = self.module.code, _replaced(self.module, old, new)
        limit = min(len(before), len(after))
        head = next((i for i in range(limit) if before[i] != after[i]), limit)
        tail = next((i for i in range(limit - head) if before[-1 - i] != after[-1 - i]), limit - head)
        return Splice(self.start + head, self.start + len(before) - tail, after[head : len(after) - tail])


def _replaced(module: cst.Module, old: cst.CSTNode, new: cst.CSTNode) -> str:
    result = module.deep_replace(old, new)
    assert isinstance(result, cst.Module)
    return result.code


def _changed(node: cst.CSTNode, changes: dict[cst.BaseExpression, str]) -> cst.CSTNode:
    new = {id(old): cst.parse_expression(text) for old, text in changes.items()}
    return node.visit(_Changer(new)) if new else node  # type: ignore[return-value]


class _Changer(cst.CSTTransformer):
    """Replaces nodes in one pass: a visit copies all others, so that a second one would not find them again."""

    def __init__(self, new: dict[int, cst.BaseExpression]):
        super().__init__()
        self.new = new

    def on_visit(self, node: cst.CSTNode) -> bool:
        return id(node) not in self.new

    def on_leave(self, original_node, updated_node):
        return self.new.get(id(original_node), updated_node)


def _kept_below(first: ast.stmt, edit: Replace, kept: dict[str, Kept]) -> list[cst.BaseStatement]:
    """The statements of the piece that keeps the first of the replaced statements; none where no piece does."""
    for name, piece in edit.pieces.items():
        whole = piece.kept if isinstance(piece, Piece) else piece
        if isinstance(whole, list) and whole and whole[0] is first:
            return kept[name]  # type: ignore[return-value]
    return []


def _carry(old: cst.BaseStatement, new: cst.BaseStatement) -> cst.BaseStatement:
    """Gives the first new statement the comments above and beside the old one."""
    new = new.with_changes(leading_lines=old.leading_lines)  # type: ignore[attr-defined]
    if isinstance(old, cst.SimpleStatementLine):
        if isinstance(new, cst.SimpleStatementLine):
            return new.with_changes(trailing_whitespace=old.trailing_whitespace)
        if isinstance(new.body, cst.IndentedBlock):  # type: ignore[attr-defined]
            return new.with_changes(body=new.body.with_changes(header=old.trailing_whitespace))  # type: ignore[attr-defined]
    return new


def _first_line(statement: ast.stmt) -> int:
    return min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", []))])


def _set_apart(new: cst.BaseStatement, at: int) -> cst.BaseStatement:
    """A function that comes after other statements, with an empty line before it."""
    if at and isinstance(new, cst.FunctionDef) and not new.leading_lines:
        return new.with_changes(leading_lines=[cst.EmptyLine(indent=False)])
    return new


def _leading_lines(node: cst.CSTNode) -> list[cst.EmptyLine]:
    """The blank and comment lines that libcst counts to a statement."""
    return list(node.leading_lines)  # type: ignore[attr-defined]


def _attached_comments(node: cst.CSTNode, every: bool = False) -> int:
    """How many comment lines stand directly above a statement (with ``every``, all its leading lines count)."""
    lines = _leading_lines(node)
    if every:
        return len(lines)
    count = 0
    for line in reversed(lines):
        if line.comment is None:
            break
        count += 1
    return count
