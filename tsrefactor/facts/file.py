"""The facts of one file: its definitions, names and structure, and which functions TorchScript could see."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import TypeVar

from tsrefactor.source.document import Document
from tsrefactor.source.file import SourceFile
from tsrefactor.source.imports import Import, ImportTable

from .definitions import Class, Function, FunctionNode
from .diagnosis import Diagnosis
from .nodes import Tree, walk
from .observations import FunctionObservations, Observations
from .types import Type, from_annotation, render
from .visible import Reach, could_be_compiled

A = TypeVar("A", bound=ast.AST)


class FileFacts:
    """All that is known of one version of a file. Facts are computed when a rule first asks for them.

    ``focus`` names the functions to look at, by their first lines in the original; None means all.
    """

    def __init__(
        self,
        document: Document,
        observations: Observations | None = None,
        diagnoses: Sequence[Diagnosis] = (),
        focus: frozenset[int] | None = None,
    ):
        self.document, self.observations, self.diagnoses = document, observations, tuple(diagnoses)
        self.focus = focus
        self.source: SourceFile = document.current
        self.tree = self.source.tree
        self.all_functions: list[Function] = []
        self.classes: list[Class] = []
        self._classes: dict[str, Class] = {}
        self._mentioned: dict[tuple[str, ...], bool] = {}
        self._collect(self.tree.body, "", None)

    def _collect(self, body: Sequence[ast.stmt], prefix: str, cls: Class | None) -> None:
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                function = Function(self, node, prefix + node.name, cls)
                self.all_functions.append(function)
                if cls is not None:
                    cls.methods.setdefault(node.name, function)
                self._collect(node.body, f"{prefix}{node.name}.<locals>.", None)
            elif isinstance(node, ast.ClassDef):
                inner = Class(self, node, prefix + node.name)
                self.classes.append(inner)
                self._classes.setdefault(inner.qualname, inner)
                self._collect(node.body, f"{prefix}{node.name}.", inner)
            elif isinstance(node, (ast.If, ast.Try, ast.With, ast.For, ast.While)):
                for field in ("body", "orelse", "finalbody"):
                    self._collect(getattr(node, field, []), prefix, cls)
                for handler in getattr(node, "handlers", []):
                    self._collect(handler.body, prefix, cls)

    # -- names -----------------------------------------------------------------------------------------------------

    @cached_property
    def imports(self) -> ImportTable:
        return ImportTable(self.tree)

    @cached_property
    def mentions_torch(self) -> bool:
        """Whether anything of torch can be in the file: the cheap test before any other."""
        return self.mentions("torch")

    def mentions(self, *words: str) -> bool:
        """Whether one of the words is anywhere in the text: a rule's cheap test before it looks at any node."""
        if words not in self._mentioned:
            self._mentioned[words] = any(word in self.source.text for word in words)
        return self._mentioned[words]

    def origin(self, node: ast.expr) -> str:
        """The dotted origin of a name or attribute chain (``F.relu`` → ``torch.nn.functional.relu``); "" for others."""
        rest = ""
        while isinstance(node, ast.Attribute):
            rest = f".{node.attr}{rest}"
            node = node.value
        return self._origins.get(node.id, node.id) + rest if isinstance(node, ast.Name) else ""

    @cached_property
    def _origins(self) -> dict[str, str]:
        """Name → where it comes from: imported, or another name for something of torch (``Norm = nn.LayerNorm``)."""
        found = dict(self.imports.origins)
        for name in self.assigned:
            rest, value = "", self.alias(name)
            while isinstance(value, ast.Attribute):
                rest, value = f".{value.attr}{rest}", value.value
            head = self.imports.origins.get(value.id, "") if isinstance(value, ast.Name) else ""
            if head == "torch" or head.startswith("torch."):
                found[name] = head + rest
        return found

    def class_named(self, name: str) -> Class | None:
        """A class of this file by its qualified name."""
        return self._classes.get(name)

    def function_named(self, name: str) -> Function | None:
        """A module-level function of this file."""
        return self._functions.get(name)

    @cached_property
    def callers(self):  # -> callers.Callers
        from .callers import Callers

        return Callers(self)

    @property
    def has_functions(self) -> bool:
        """Whether it has functions at its top level."""
        return bool(self._functions)

    @cached_property
    def _functions(self) -> dict[str, Function]:
        return {f.qualname: f for f in reversed(self.all_functions) if f.cls is None and "." not in f.qualname}

    def spell(self, origin: str) -> tuple[str, frozenset[Import]]:
        """How the file writes a name from elsewhere, and the imports that this needs."""
        return self.imports.spell(origin)

    def spell_type(self, type_: Type) -> tuple[str, frozenset[Import]]:
        """A type as an annotation of this file, and the imports that it needs. ValueError for one not expressible."""
        needed: set[Import] = set()

        def spell(origin: str) -> str:
            local = origin.rpartition(".")[2]
            if self.class_named(local) is not None and not origin.startswith(("typing.", "torch.")):
                return local
            name, imports = self.spell(origin)
            needed.update(imports)
            return name

        return render(type_, spell), frozenset(needed)

    def annotated(self, node: ast.expr) -> Type:
        """The type that an annotation of this file denotes."""
        return from_annotation(node, self.imports.origin, self.alias)

    def alias(self, name: str) -> ast.expr | None:
        """What a name stands for that the file binds once, at its top level, to a name or type from elsewhere."""
        values = self.assigned.get(name, ())
        value = values[0] if len(values) == 1 and name not in self.imports.origins else None
        return value if isinstance(value, (ast.Name, ast.Attribute, ast.Subscript, ast.BinOp)) else None

    # -- structure -------------------------------------------------------------------------------------------------

    @cached_property
    def positions(self) -> Tree:
        return Tree(self.tree)

    @property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """Every node's parent, the nodes in source order."""
        return self.positions.parents

    @cached_property
    def _by_class(self) -> dict[type[ast.AST], list[ast.AST]]:
        found: dict[type[ast.AST], list[ast.AST]] = defaultdict(list)
        for node in self.parents:
            found[node.__class__].append(node)
        return found

    def of(self, class_: type[A]) -> Sequence[A]:
        """All nodes of this very class in the file, at any depth, in source order: an index that is made once."""
        return self._by_class.get(class_, ())  # type: ignore[return-value]

    def statement_of(self, node: ast.AST) -> ast.stmt:
        """The innermost statement that holds a node."""
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return node

    def top_level_of(self, node: ast.AST) -> ast.stmt:
        """The top-level statement that holds a node."""
        while not isinstance(self.parents[node], ast.Module):
            node = self.parents[node]
        assert isinstance(node, ast.stmt)
        return node

    def block_of(self, statement: ast.stmt) -> list[ast.stmt]:
        """The list of statements that a statement stands in."""
        parent = self.parents[statement]
        for field in ("body", "orelse", "finalbody"):
            block = getattr(parent, field, None)
            if isinstance(block, list) and statement in block:
                return block
        return [statement]

    @cached_property
    def assigned(self) -> dict[str, list[ast.expr]]:
        """What assignments at the top level of the file bind: name → values."""
        found: dict[str, list[ast.expr]] = {}
        for statement in self.tree.body:
            if isinstance(statement, ast.Assign):
                for name in dict.fromkeys(t.id for t in statement.targets if isinstance(t, ast.Name)):
                    found.setdefault(name, []).append(statement.value)
        return found

    @cached_property
    def module_names(self) -> set[str]:
        """Every name bound at module level: a helper must not take one of them."""
        return {n.id for n in self.of(ast.Name) if isinstance(n.ctx, ast.Store)} | {
            n.name for n in self.tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))
        } | set(self.imports.origins)  # fmt: skip

    @cached_property
    def names(self) -> set[str]:
        """Every name and parameter in the file, of whatever scope."""
        return {n.id for n in self.of(ast.Name)} | {n.arg for n in self.of(ast.arg)}

    @cached_property
    def method_functions(self) -> dict[Function, str]:
        """The names given out, so far, for functions that methods are to become: see plain_methods."""
        return {}

    @cached_property
    def moved_names(self) -> dict[ast.stmt, str]:
        """The names given out, so far, for what moves into a method or function: by its first statement."""
        return {}

    def node_at(self, diagnosis: Diagnosis, *kinds: type[ast.AST]) -> ast.AST | None:
        """The outermost node of one of these kinds that begins where the diagnosis points (else one on its line)."""
        place = diagnosis.place
        if place is None or place.file != str(self.source.path):
            return None
        on_line = [n for n in walk(self.tree) if isinstance(n, kinds) and getattr(n, "lineno", 0) == place.line]
        exact = [n for n in on_line if getattr(n, "col_offset", -1) == place.column]
        found = exact or on_line
        return found[0] if found else None

    # -- functions that TorchScript could see ------------------------------------------------------------------------

    @cached_property
    def functions(self) -> list[Function]:
        """Those that TorchScript could see: of those in focus, else those that the file shows to be reached.

        That is what the forward of a module leads to, jit-decorated functions and what these lead to; in a file
        without modules all functions that use torch and what these call, but for those that train, load or save.
        """
        if not self.mentions_torch:
            return []
        if self.focus is not None:
            able = (f for f in self.all_functions if could_be_compiled(f))
            lines = {*self.focus, None}  # what a change inserted is there to be compiled
            return [f for f in able if self.first_original_line(f) in lines]
        return Reach(self).functions

    def is_of_torch(self, node: ast.expr) -> bool:
        """Whether it is a name from torch, or the first attribute of one: as good as `origin` for all nodes, faster."""
        if isinstance(node, ast.Attribute):
            return isinstance(node.value, ast.Name) and node.value.id in self._from_torch
        return isinstance(node, ast.Name) and self._from_torch.get(node.id, False)

    @cached_property
    def _from_torch(self) -> dict[str, bool]:
        """Local name for torch or something of it → whether it is something of it."""
        found = {n: o != "torch" for n, o in self.imports.origins.items() if o == "torch" or o.startswith("torch.")}
        return found if "torch" in self.imports.origins else found | {"torch": False}

    def methods_of(self, cls: Class) -> Sequence[Function]:
        """Those of `functions` that are methods of the class."""
        return self._methods.get(cls, ())

    @cached_property
    def _methods(self) -> dict[Class | None, list[Function]]:
        found: dict[Class | None, list[Function]] = {}
        for function in self.functions:
            found.setdefault(function.cls, []).append(function)
        return found

    def observed_function(self, function: Function) -> FunctionObservations | None:
        return self._observed.get(self.first_original_line(function) or 0) if self._observed else None

    @cached_property
    def _observed(self) -> dict[int, FunctionObservations]:
        """What was observed of this file, by the functions' first original lines (a change may rename one)."""
        path, seen = str(self.source.path), self.observations.functions if self.observations else {}
        return {f.line: f for f in seen.values() if f.file == path}

    def first_original_line(self, function: Function) -> int | None:
        """The original's line where a function, with its decorators, begins; None for one that a change inserted."""
        node = function.node
        defined = self.document.original_line(node.lineno)
        if defined is not None:  # a change may have taken decorators off
            return self._first_lines.get(defined, defined)
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        return self.document.original_line(first)

    @cached_property
    def _first_lines(self) -> dict[int, int]:
        """The original's decorated functions: the line of the ``def`` → that of the first decorator."""
        functions = (n for n in walk(self.document.source.tree) if isinstance(n, FunctionNode) and n.decorator_list)
        return {f.lineno: min(d.lineno for d in f.decorator_list) for f in functions}
