"""What a function was called with, held, returned and reached."""

import contextlib
import os
import sys
import threading

import pytest
import torch

from tsrefactor.facts.observations import Observations, source_digest
from tsrefactor.record.observer import observe

NET = """
    import torch
    from torch import nn

    def helper(x, n=2):
        return x * n

    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.set_up(3)

        def set_up(self, n):
            self.n = n

        def forward(self, x, mask=None, *rest, flag=True, **named):
            out = []
            if x.dim() == 7:
                x = x[0]
            for row in x:
                out.append(helper(row))
            if mask is None:
                mask = torch.ones(1)
            return torch.stack(out), mask.sum().item()

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Inner()

        def forward(self, x):
            return self.inner(x)
"""


@pytest.fixture
def seen(tmp_path):
    """Runs a function under observation; gives the functions seen, by qualname."""

    def run(function):
        with observe([str(tmp_path)]) as observer, contextlib.suppress(ZeroDivisionError):
            function()
        functions = observer.observations().functions.values()
        assert len({f.qualname for f in functions}) == len(functions)
        return {f.qualname: f for f in functions}

    return run


def types(held):
    return {name: str(type_) for name, type_ in held.items()}


def test_arguments_locals_returns_and_lines_of_nested_modules(make_module, seen, tmp_path):
    module = make_module(NET)
    functions = seen(lambda: module.Net()(torch.ones(2, 3)))
    forward = functions["Inner.forward"]
    assert forward.file == os.path.realpath(tmp_path / "observed.py")
    assert types(forward.arguments) == {
        "self": "Module", "x": "Tensor", "mask": "None", "rest": "?", "flag": "bool", "named": "Dict[?, ?]",
    }  # fmt: skip
    assert types(forward.locals) == {
        "self": "Module", "x": "Tensor", "mask": "Optional[Tensor]", "flag": "bool", "out": "List[Tensor]",
        "row": "Tensor",
    }  # fmt: skip
    assert str(forward.returns) == "Tuple[Tensor, float]"
    lines = (tmp_path / "observed.py").read_text().splitlines()
    reached = {lines[number - 1].strip() for number in forward.lines}
    assert "if x.dim() == 7:" in reached
    assert "x = x[0]" not in reached
    assert "out.append(helper(row))" in reached
    assert functions["helper"].calls == 2
    assert types(functions["helper"].arguments) == {"x": "Tensor", "n": "int"}
    assert forward.digest == source_digest(lines[forward.line - 1 : forward.line + 8])


def test_only_what_runs_below_a_forward_is_scripted(make_module, seen):
    module = make_module(NET)
    functions = seen(lambda: module.Net()(torch.ones(2, 3)))
    scripted = {name for name, function in functions.items() if function.scripted}
    assert scripted == {"Net.forward", "Inner.forward", "helper"}
    assert "Inner.set_up" in functions
    assert seen(lambda: module.Inner().forward(torch.ones(1, 1)))["helper"].scripted
    assert not seen(lambda: module.helper(1))["helper"].scripted


def test_passed_rest_arguments(make_module, seen):
    module = make_module(NET)
    forward = seen(lambda: module.Inner()(torch.ones(1, 1), None, 1, 2.0, extra=3))["Inner.forward"]
    assert str(forward.arguments["rest"]) == "Tuple[int, float]"
    assert str(forward.arguments["named"]) == "Dict[str, int]"
    assert str(forward.arguments["extra"]) == "int"


def test_a_list_seen_empty_takes_the_type_of_what_comes(make_module, seen):
    module = make_module("""
        def f(flag):
            found, other = [], {}
            if flag:
                found.append(1.0)
                other["a"] = None
                other["b"] = 1
            return found
    """)
    f = seen(lambda: (module.f(False), module.f(True)))["f"]
    assert str(f.locals["found"]) == str(f.returns) == "List[float]"
    assert str(f.locals["other"]) == "Dict[str, Optional[int]]"


def test_a_value_that_is_reassigned_or_deleted_was_there(make_module, seen):
    module = make_module("""
        def f():
            a = None
            a = 1
            b = "x"
            del b
            return a
    """)
    assert types(seen(module.f)["f"].locals) == {"a": "Optional[int]", "b": "str"}


def test_an_exception_is_no_return(make_module, seen):
    module = make_module("""
        def raises(n):
            return 1 // n

        def through(n):
            try:
                raises(n)
            finally:
                n = 2

        def caught(n):
            try:
                raises(n)
            except ZeroDivisionError:
                return None
            return 1.0

        def silent(n):
            if n:
                return "x"
    """)
    functions = seen(lambda: (module.silent(0), module.caught(0), module.caught(1), module.through(0)))
    assert str(functions["raises"].returns) == "int"
    assert str(functions["through"].returns) == "?"
    assert str(functions["caught"].returns) == "Optional[float]"
    assert str(functions["silent"].returns) == "None"


def test_generators_do_not_return_what_they_yield(make_module, seen):
    module = make_module("""
        def gen(n):
            for i in range(n):
                yield i
            return "end"

        def use(n):
            def inner():
                return n
            sizes = [
                i
                for i in gen(n)
            ]
            return sum(i for i in sizes) + (lambda k: k + 1)(inner())
    """)
    functions = seen(lambda: module.use(3))
    assert functions["gen"].calls == 1
    assert str(functions["gen"].returns) == "!"
    assert set(functions) == {"gen", "use", "use.<locals>.inner", "use.<locals>.<lambda>"}
    assert types(functions["use.<locals>.<lambda>"].arguments) == {"k": "int"}
    assert functions["use"].calls == 1
    # The lines of the comprehension are the function's own.
    assert {10, 11, 12, 14} <= functions["use"].lines


def test_methods_of_every_kind_and_decorated_functions(make_module, seen):
    module = make_module("""
        import functools
        import torch
        from torch.utils.checkpoint import checkpoint

        def deco(f):
            @functools.wraps(f)
            def wrapper(*args):
                return f(*args)
            return wrapper

        class C:
            @property
            def p(self):
                return 1
            @staticmethod
            def s(x):
                return x
            @classmethod
            def __c(cls, x):
                return x
            @deco
            def d(self, x):
                held = [x]
                return (lambda: held)()
            def go(self):
                return self.p, self.s(1.0), self.__c("a"), self.d(None)

        class Twice(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2
            @staticmethod
            def backward(ctx, g):
                return g * 2

        def loss(x):
            return checkpoint(Twice.apply, x, use_reentrant=False).sum()
    """)
    functions = seen(lambda: (module.C().go(), module.loss(torch.ones(2, requires_grad=True)).backward()))
    returns = {name: str(function.returns) for name, function in functions.items()}
    assert returns["C.p"] == "int"
    assert returns["C.s"] == "float"
    assert returns["C.__c"] == "str"
    assert returns["C.d"] == "List[None]"
    assert returns["deco.<locals>.wrapper"] == "List[None]"
    assert returns["Twice.forward"] == "Tensor"
    assert functions["C.p"].line == functions["C.p"].lines.pop() - 2


def test_a_parameter_held_in_a_closure(make_module, seen):
    module = make_module("""
        def f(x):
            def g():
                nonlocal x
                x = 1.0
            g()
            return x
    """)
    f = seen(lambda: module.f(1))["f"]
    assert str(f.arguments["x"]) == "int"
    assert str(f.returns) == "float"


def test_recursion_and_the_cap_on_calls(make_module, seen):
    module = make_module("""
        def deep(n):
            return 0 if n == 0 else 1 + deep(n - 1)

        def often(n):
            if n == 200:
                return None
            return n
    """)
    functions = seen(lambda: (module.deep(80), [module.often(n) for n in range(300)]))
    assert functions["deep"].calls == 81
    assert functions["often"].calls == 300
    assert str(functions["often"].returns) == "int"  # types come from the first calls
    assert functions["often"].line + 2 in functions["often"].lines  # lines for as long as one is missing


def test_files_outside_and_installed_ones_are_not_seen(make_module, tmp_path):
    module = make_module(NET)
    with observe([str(tmp_path / "elsewhere")]) as observer:
        module.helper(1)
    assert observer.observations() == Observations()
    for folder in ("site-packages", ".hidden", "venv"):
        (tmp_path / folder).mkdir()
        file = tmp_path / folder / "lib.py"
        file.write_text("def f():\n    return 1\n")
        (tmp_path / "venv" / "pyvenv.cfg").touch() if folder == "venv" else None
        names: dict = {}
        exec(compile(file.read_text(), str(file), "exec"), names)
        with observe([str(tmp_path)]) as observer:
            names["f"]()
        assert observer.observations() == Observations(), folder


def test_a_link_to_a_source_folder_is_followed(make_module, tmp_path):
    module = make_module(NET)
    (tmp_path / "away").mkdir()
    link = tmp_path / "away" / "link"
    link.symlink_to(tmp_path)
    with observe([str(link)]) as observer:
        module.helper(1)
    assert [f.file for f in observer.observations().functions.values()] == [os.path.realpath(module.__file__)]


def test_trace_functions_of_others_are_kept(make_module, tmp_path):
    module = make_module(NET)
    outer, inner = (lambda *_: None), (lambda *_: None)
    original = sys.gettrace()
    try:
        sys.settrace(outer)
        with observe([str(tmp_path)]):
            module.helper(1)
        assert sys.gettrace() is outer
        with observe([str(tmp_path)]):
            sys.settrace(inner)
        assert sys.gettrace() is inner
    finally:
        sys.settrace(original)


def test_other_threads_run_unobserved(make_module, tmp_path):
    module = make_module(NET)
    with observe([str(tmp_path)]) as observer:
        thread = threading.Thread(target=module.helper, args=(1,))
        thread.start()
        thread.join()
    assert observer.observations() == Observations()


def test_observations_survive_json(make_module, tmp_path):
    module = make_module(NET)
    with observe([str(tmp_path)]) as observer:
        module.helper(1, 2.0)
    seen = observer.observations()
    assert Observations.from_json(seen.to_json()) == seen
