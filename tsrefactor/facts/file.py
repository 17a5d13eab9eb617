"""The facts of one file: its functions and classes as TorchScript would see them, with what was observed of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from tsrefactor.source.document import Document
from tsrefactor.source.file import SourceFile
from tsrefactor.source.imports import Import, ImportTable

from .diagnosis import Diagnosis
from .nodes import children, walk
from .observations import ClassObservations, FunctionObservations, Observations
from .types import Type, from_annotation, render

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_JIT_DECORATORS = {
    "torch.jit.script", "torch.jit.script_if_tracing", "torch.jit.export", "torch.jit.script_method",
    "torch.jit.interface",
}  # fmt: skip
_JIT_SKIPS = {"torch.jit.ignore", "torch.jit.unused"}


@dataclass(frozen=True, eq=False)
class Parameter:
    """One parameter of a function. ``kind``: ``positional``, ``keyword``, ``args`` or ``kwargs``."""

    name: str
    node: ast.arg
    default: ast.expr | None
    kind: str

    @property
    def annotation(self) -> ast.expr | None:
        return self.node.annotation


class Function:
    """A function or method that TorchScript may see."""

    def __init__(self, file: FileFacts, node: FunctionNode, qualname: str, cls: Class | None):
        self.file, self.node, self.qualname, self.cls = file, node, qualname, cls
        self.name = node.name

    @property
    def is_static(self) -> bool:
        return any(
            isinstance(d, ast.Name) and d.id in ("staticmethod", "classmethod") for d in self.node.decorator_list
        )

    @cached_property
    def decorators(self) -> list[str]:
        """Origins of the decorators (``torch.no_grad``), of their calls too."""
        heads = [d.func if isinstance(d, ast.Call) else d for d in self.node.decorator_list]
        return [self.file.origin(d) for d in heads]

    @property
    def skipped(self) -> bool:
        """Whether TorchScript is told not to compile it (``@torch.jit.ignore``, ``@torch.jit.unused``)."""
        return any(d in _JIT_SKIPS for d in self.decorators)

    @cached_property
    def stand_in(self) -> str | None:
        """The name of the function beside it that TorchScript compiles in its place (``f.__wrapped__ = g``)."""
        if "__wrapped__" not in self.file.source.text:
            return None
        block = self.file.tree.body if self.cls is None else self.cls.node.body
        for node in (s for s in block if isinstance(s, ast.Assign) and isinstance(s.value, ast.Name)):
            if [ast.unparse(t) for t in node.targets] == [f"{self.name}.__wrapped__"]:
                return ast.unparse(node.value)
        return None

    @cached_property
    def parameters(self) -> list[Parameter]:
        """The parameters in order, without ``self``."""
        a = self.node.args
        positional = [*a.posonlyargs, *a.args]
        defaults: list[ast.expr | None] = [None] * (len(positional) - len(a.defaults)) + list(a.defaults)
        found = [Parameter(p.arg, p, d, "positional") for p, d in zip(positional, defaults, strict=True)]
        if (
            self.cls is not None
            and found
            and not any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in self.node.decorator_list)
        ):
            found = found[1:]
        if a.vararg:
            found.append(Parameter(a.vararg.arg, a.vararg, None, "args"))
        found += [Parameter(p.arg, p, d, "keyword") for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True)]
        if a.kwarg:
            found.append(Parameter(a.kwarg.arg, a.kwarg, None, "kwargs"))
        return found

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the body (not the header), without those of nested functions, classes and lambdas."""
        found: list[ast.AST] = []
        stack: list[ast.AST] = list(reversed(self.node.body))
        while stack:
            node = stack.pop()
            found.append(node)
            if not isinstance(node, _SCOPES):
                stack += reversed(children(node))
        return found

    @cached_property
    def statements(self) -> list[ast.stmt]:
        """Every statement of the body, at any depth, in source order, without those of nested scopes."""
        return [n for n in self.nodes if isinstance(n, ast.stmt)]

    def calls(self, *origins: str) -> Iterator[ast.Call]:
        """Calls of a function by its origin: ``len``, ``torch.cat``."""
        for node in self.nodes:
            if isinstance(node, ast.Call) and self.file.origin(node.func) in origins:
                yield node

    @cached_property
    def self_name(self) -> str | None:
        """What the method calls its instance; None for free functions and static methods."""
        a = self.node.args
        first = [*a.posonlyargs, *a.args][:1]
        return first[0].arg if first and self.cls is not None and not self.is_static else None

    def self_attribute(self, node: ast.AST) -> str | None:
        """``name`` when the node is ``self.name``."""
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == self.self_name:
            return node.attr
        return None

    # -- what was observed -----------------------------------------------------------------------------------------

    @cached_property
    def observed(self) -> FunctionObservations | None:
        """What recorded runs saw of it; None without a recording or when it was never called."""
        return self.file.observed_function(self)

    def reached(self, statement: ast.stmt) -> bool | None:
        """Whether a recorded run executed the statement; None when nothing is known (no recording, inserted line)."""
        if self.file.observations is None:
            return None
        line = self.file.document.original_line(statement.lineno)
        if self.observed is None or line is None:
            return None if line is None else False
        return line in self.observed.lines

    # -- types -----------------------------------------------------------------------------------------------------

    @cached_property
    def types(self):  # -> inference.Inference; a lazy import keeps the two modules apart
        from .inference import Inference

        return Inference(self)

    def type_of(self, node: ast.expr, presume: bool = False) -> Type:
        """The TorchScript type of an expression, `UNKNOWN` where nothing speaks for one.

        With ``presume``, an unannotated parameter without default that nothing speaks for counts as a Tensor: what
        rests on that is unsafe until a case proves it.
        """
        return self.types.of(node, presume)

    @cached_property
    def flow(self):  # -> flow.Flow
        from .flow import Flow

        return Flow(self)

    @cached_property
    def dependence(self):  # -> dependence.Dependence
        from .dependence import Dependence

        return Dependence(self)


class Class:
    """A class of the file."""

    def __init__(self, file: FileFacts, node: ast.ClassDef, qualname: str):
        self.file, self.node, self.qualname = file, node, qualname
        self.name = node.name
        self.methods: dict[str, Function] = {}
        self.attribute_types: dict[str, Type] = {}  # what `inference` made of `assigned`, kept

    @cached_property
    def bases(self) -> list[str]:
        """Origins of the bases as written (``torch.nn.Module``; a class of this file by its name)."""
        return [self.file.origin(b) for b in self.node.bases]

    @cached_property
    def ancestors(self) -> list[Class]:
        """Base classes in this file, nearest first (depth first, left to right)."""
        found: list[Class] = []
        for base in self.bases:
            cls = self.file.class_named(base)
            if cls is not None and cls is not self and cls not in found:
                found += [cls, *(a for a in cls.ancestors if a not in found)]
        return found

    @cached_property
    def foreign_bases(self) -> list[str]:
        """Origins of the bases outside this file, of the ancestors too."""
        return [b for c in (self, *self.ancestors) for b in c.bases if self.file.class_named(b) is None]

    @cached_property
    def is_module(self) -> bool:
        """Whether it is an nn.Module: by its bases, by observation, or by a forward under a base from elsewhere."""
        if any(b == "torch.nn.Module" or b.startswith(("torch.nn.modules.", "torch.nn.")) for b in self.foreign_bases):
            return True
        if self.observed is not None:
            return True
        imported = [
            b for b in self.foreign_bases if b not in ("object", "torch.autograd.Function") and "autograd" not in b
        ]
        return bool(imported) and "forward" in self.methods

    @cached_property
    def observed(self) -> ClassObservations | None:
        observations = self.file.observations
        return observations.classes.get((str(self.file.source.path), self.qualname)) if observations else None

    @cached_property
    def subclasses(self) -> list[Class]:
        """Classes of this file that derive from it."""
        return [c for c in self.file.classes if self in c.ancestors]

    @cached_property
    def annotations(self) -> dict[str, ast.expr]:
        """Annotations in the class body itself (not the bases')."""
        return {
            s.target.id: s.annotation
            for s in self.node.body
            if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)
        }

    @cached_property
    def assigned(self) -> dict[str, list[tuple[Function, ast.expr | None]]]:
        """``self.name = value`` anywhere in its methods: name → (method, value; None when the value is not plain)."""
        found: dict[str, list[tuple[Function, ast.expr | None]]] = {}
        for method in self.methods.values():
            for node in method.nodes:
                pairs: list[tuple[ast.expr, ast.expr | None]] = []
                if isinstance(node, ast.Assign):
                    pairs = [(t, node.value) for t in node.targets]
                    pairs += [(e, None) for t in node.targets if isinstance(t, (ast.Tuple, ast.List)) for e in t.elts]
                elif isinstance(node, (ast.AnnAssign, ast.AugAssign)):
                    pairs = [(node.target, node.value if isinstance(node, ast.AnnAssign) else None)]
                for target, value in pairs:
                    name = method.self_attribute(target)
                    if name is not None:
                        found.setdefault(name, []).append((method, value))
        return found

    def method(self, name: str) -> Function | None:
        """The method, its own or inherited from a class of this file."""
        return next((c.methods[name] for c in (self, *self.ancestors) if name in c.methods), None)


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
        return "torch" in self.source.text

    def origin(self, node: ast.expr) -> str:
        """The dotted origin of a name or attribute chain (``F.relu`` → ``torch.nn.functional.relu``); "" for others."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        return self.imports.origin(".".join([node.id, *reversed(parts)]))

    def class_named(self, name: str) -> Class | None:
        """A class of this file by its qualified name."""
        return self._classes.get(name)

    def function_named(self, name: str) -> Function | None:
        """A module-level function of this file."""
        return self._functions.get(name)

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
        return from_annotation(node, self.imports.origin)

    # -- structure -------------------------------------------------------------------------------------------------

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """Every node's parent."""
        parents: dict[ast.AST, ast.AST] = {}
        stack: list[ast.AST] = [self.tree]
        while stack:
            node = stack.pop()
            below = children(node)
            stack += below
            for child in below:
                parents[child] = node
        return parents

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
    def module_names(self) -> set[str]:
        """Every name bound at module level: a helper must not take one of them."""
        return {n.id for n in walk(self.tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)} | {
            n.name for n in self.tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))
        } | set(self.imports.origins)  # fmt: skip

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
        """Those that TorchScript could see, of those in focus.

        Methods of nn.Modules (set-up code aside), jit-decorated functions, functions that use torch, and what these
        call.
        """
        if not self.mentions_torch:
            return []
        if self.focus is not None:
            return [f for f in self.all_functions if self.first_original_line(f) in self.focus and self._visible(f)]
        seen = [f for f in self.all_functions if self._visible(f)]
        for function in seen:  # grows while it is walked
            for node in function.nodes:
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    called = self.function_named(node.func.id)
                    if called is not None and called not in seen and called.stand_in is None:
                        seen.append(called)
        return seen

    def _visible(self, function: Function) -> bool:
        if function.skipped or function.stand_in is not None or "<locals>" in function.qualname:
            return False
        if function.cls is not None:
            setup = function.name.startswith("__") and function.name not in (
                "__call__",
                "__getitem__",
                "__len__",
                "__contains__",
            )
            return function.cls.is_module and not setup
        if any(d in _JIT_DECORATORS for d in function.decorators):
            return True
        if function.observed is not None and function.observed.scripted:
            return True
        annotations = [p.annotation for p in function.parameters if p.annotation is not None]
        names = (n for n in [*function.nodes, *annotations] if isinstance(n, (ast.Name, ast.Attribute)))
        return any(self.origin(n).startswith("torch.") for n in names)

    def observed_function(self, function: Function) -> FunctionObservations | None:
        return self._observed.get(self.first_original_line(function) or 0)

    @cached_property
    def _observed(self) -> dict[int, FunctionObservations]:
        """What was observed of this file, by the functions' first original lines (a change may rename one)."""
        path, seen = str(self.source.path), self.observations.functions if self.observations else {}
        return {f.line: f for f in seen.values() if f.file == path}

    def first_original_line(self, function: Function) -> int | None:
        """The original's line where a function, with its decorators, begins; None for one that a change inserted."""
        node = function.node
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        return self.document.original_line(first) or self.document.original_line(node.lineno)
