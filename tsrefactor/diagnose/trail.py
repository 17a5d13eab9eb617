"""What a live exception's traceback knows that its text does not: call sites, functions and modules being compiled."""

from __future__ import annotations

import ast
import inspect
import itertools
import linecache
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import CodeType, TracebackType
from typing import Any

from .frames import Frame, parse_error

IsUserFile = Callable[[str], bool]


@dataclass
class Trail:
    """Everything innermost first.

    ``sites``: where functions were called that were then compiled. ``functions``: those being compiled or parsed.
    ``modules``: instances being compiled, each with the name under which the next outer one holds it (None at the
    root). ``inspected``: the attribute whose type was being read. ``python``: user frames that ran below torch.
    ``parsing``: the front end failed on ``functions[0]``. ``running``: the class of the scripted module that was
    called. ``listing``: the tracer was reading every attribute of a module.
    """

    sites: list[Frame] = field(default_factory=list)
    functions: list[Any] = field(default_factory=list)
    modules: list[tuple[Any, str | None]] = field(default_factory=list)
    inspected: str | None = None
    python: list[Frame] = field(default_factory=list)
    parsing: bool = False
    running: Any = None
    listing: bool = False

    @property
    def module_class(self) -> type | None:
        """The class of the innermost module that was being compiled, else of the scripted module that was called."""
        return type(self.modules[0][0]) if self.modules else self.running


def follow(error: BaseException, is_user_file: IsUserFile) -> Trail:
    """Reads the frames of ``error.__traceback__``, outermost first, into a Trail."""
    trail = Trail()
    below_torch = False
    held_as: str | None = None
    for tb in _steps(error.__traceback__):
        local, code = tb.tb_frame.f_locals, tb.tb_frame.f_code
        package = str(tb.tb_frame.f_globals.get("__name__", ""))
        below_torch |= package.startswith("torch.")
        trail.parsing = False if package == "torch.jit._recursive" else trail.parsing
        if package.startswith("torch.jit"):
            held_as = _compiler_frame(trail, code.co_name, local, held_as)
        elif package == "torch._jit_internal" and code.co_name == "module_has_exports":
            trail.listing = True
        elif package == "torch.nn.modules.module" and code.co_name == "_call_impl":
            trail.running = getattr(getattr(local.get("self"), "_concrete_type", None), "py_class", None)
        elif below_torch and is_user_file(code.co_filename):
            trail.python.insert(0, _python_frame(tb))
    return trail


def _steps(tb: TracebackType | None) -> Iterator[TracebackType]:
    while tb is not None:
        yield tb
        tb = tb.tb_next


def _compiler_frame(trail: Trail, name: str, local: dict[str, Any], held_as: str | None) -> str | None:
    """Notes what one frame of torch.jit holds; returns the attribute under which a module compiled next is held."""
    if name in ("try_compile_fn", "check_fn", "compile_unbound_method", "get_jit_def") and "fn" in local:
        if not trail.functions or inspect.unwrap(trail.functions[0]) is not inspect.unwrap(local["fn"]):
            trail.functions.insert(0, local["fn"])
        trail.parsing = name == "get_jit_def"
        located = parse_error(local["loc"].highlight()).frames if hasattr(local.get("loc"), "highlight") else ()
        trail.sites[:0] = located[:1]
    elif name in ("create_script_module_impl", "infer_concrete_type_builder") and "nn_module" in local:
        module = local["nn_module"]
        if not trail.modules or trail.modules[0][0] is not module:
            trail.modules.insert(0, (module, held_as))
        if name == "infer_concrete_type_builder":
            trail.inspected = held_as = local.get("name")
        else:
            trail.inspected = None
    elif name == "init_fn":
        return local.get("name")
    return held_as


def _python_frame(tb: TracebackType) -> Frame:
    code = tb.tb_frame.f_code
    column = end = None
    if sys.version_info >= (3, 11):
        at = next(itertools.islice(code.co_positions(), tb.tb_lasti // 2, None), None)
        if at is not None and at[0] == tb.tb_lineno:
            column, end = at[2], at[3] if at[1] == at[0] else None
    name = getattr(code, "co_qualname", code.co_name)
    return Frame(code.co_filename, tb.tb_lineno, column, end, name)


def code_of(function: Any) -> CodeType | None:
    """The code of the function that a method, property or decorated function was written as."""
    function = function.fget if isinstance(function, property) else function
    function = inspect.unwrap(getattr(function, "__func__", function))
    return getattr(function, "__code__", None)


def definition(function: Any) -> Frame | None:
    """The ``def`` line of a function (below its decorators), or None where it has no code."""
    code = code_of(function)
    if code is None:
        return None
    line = code.co_firstlineno
    for offset in itertools.takewhile(lambda n: n < 100, itertools.count()):
        source = linecache.getline(code.co_filename, line + offset)
        if source.lstrip().startswith(("def ", "async def ")):
            line += offset
            break
        if not source:
            break
    source = linecache.getline(code.co_filename, line).rstrip("\r\n")
    column = len(source) - len(source.lstrip()) if source else None
    return Frame(code.co_filename, line, column, function=getattr(code, "co_qualname", code.co_name))


def known_functions(trail: Trail) -> list[Any]:
    """The functions on the trail, and those of the classes of its modules: where a text's frame may lie."""
    classes = [type(m) for m, _ in trail.modules] + ([trail.running] if trail.running else [])
    members = [m for c in classes for base in c.__mro__ if not _is_torch(base) for m in vars(base).values()]
    members += [v for module, _ in trail.modules for v in vars(module).values() if inspect.isroutine(v)]
    return [f for f in (*trail.functions, *members) if callable(f) or isinstance(f, (property, staticmethod))]


def function_at(file: str, line: int, functions: list[Any]) -> str | None:
    """The qualified name of the function among ``functions`` whose body holds the line."""
    for function in functions:
        code = code_of(function)
        if code is not None and code.co_filename == file and _covers(code, line):
            return getattr(inspect.unwrap(function), "__qualname__", code.co_name)
    return None


def _covers(code: CodeType, line: int) -> bool:
    return code.co_firstlineno <= line <= max((at for _, _, at in code.co_lines() if at), default=0)


def behind_decorator(frame: Frame, functions: list[Any]) -> str | None:
    """The real file of a frame in a decorated function, where TorchScript names the decorator's file.

    It does so because ``inspect.getsourcefile`` does not unwrap and ``inspect.getsourcelines`` does; told by the
    highlighted line, which is in the one file and not in the other.
    """
    if frame.source is None or linecache.getline(frame.file, frame.line).strip() == frame.source.strip():
        return None
    for function in functions:
        code = code_of(function)
        if code is None or not hasattr(getattr(function, "__func__", function), "__wrapped__"):
            continue
        here = linecache.getline(code.co_filename, frame.line)
        if _covers(code, frame.line) and here.strip() == frame.source.strip():
            return code.co_filename
    return None


def class_file(cls: type) -> str | None:
    return getattr(sys.modules.get(cls.__module__), "__file__", None)


def _is_torch(cls: type) -> bool:
    return cls.__module__.partition(".")[0] in ("torch", "builtins")


def owner(trail: Trail, is_user_file: IsUserFile) -> tuple[type, str | None, Any] | None:
    """The innermost module class of the user's, the attribute through which it holds what failed, and that module."""
    attribute = trail.inspected
    for module, held_as in trail.modules:
        for cls in type(module).__mro__:
            if not _is_torch(cls) and is_user_file(class_file(cls) or ""):
                return type(module), attribute, trail.modules[0][0]
        attribute = held_as
    return None


def construction(cls: type, attribute: str | None, child: Any, is_user_file: IsUserFile, narrow: bool) -> Frame | None:
    """Where ``cls`` (or a base of it) assigns ``self.attribute``: the value, or in it (``narrow``) the call that
    builds ``child`` when only one there does; without such an assignment, the class statement."""
    bases = [base for base in cls.__mro__ if not _is_torch(base) and is_user_file(class_file(base) or "")]
    for base in bases:
        node = _class_node(base)
        value = attribute and node and _assigned(node, attribute)
        if value:
            calls = [n for n in ast.walk(value) if isinstance(n, ast.Call) and _last_name(n) == type(child).__name__]
            at = calls[0] if narrow and len(calls) == 1 else value
            end = at.end_col_offset if at.end_lineno == at.lineno else None
            return Frame(class_file(base) or "", at.lineno, at.col_offset, end, f"{base.__qualname__}.__init__")
    node = _class_node(bases[0]) if bases else None
    return Frame(class_file(bases[0]) or "", node.lineno, node.col_offset, function=None) if node else None


def _class_node(cls: type) -> ast.ClassDef | None:
    try:
        tree: ast.AST = ast.parse("".join(linecache.getlines(class_file(cls) or "")))
    except SyntaxError:  # changed on disk since it was imported
        return None
    found = [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == cls.__name__]
    return found[0] if found else None


def _assigned(node: ast.ClassDef, attribute: str) -> ast.expr | None:
    for child in ast.walk(node):
        for target in getattr(child, "targets", [getattr(child, "target", None)]):
            if isinstance(target, ast.Attribute) and target.attr == attribute and isinstance(target.value, ast.Name):
                return getattr(child, "value", None)
    return None


def _last_name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
