"""Where an error is: the user's innermost frame, whatever TorchScript names and however it was reached."""

from __future__ import annotations

from pathlib import Path

from tsrefactor.diagnose import diagnose_text


def where(diagnosis):
    return [(Path(p.file).stem, p.function) for p in (diagnosis.place, *diagnosis.chain)]


def test_method_called_by_forward(diagnosed, span):
    found = diagnosed("""
    class M(nn.Module):
        def helper(self, x):
            return x.nope  # here
        def forward(self, x):
            y = self.helper(x)
            return y
    """)
    assert where(found) == [("subject", "M.helper"), ("subject", "M.forward")]
    assert span(found.place) == ("x.nope", True)
    assert found.module_type == "subject.M"


def test_submodule_of_another_file(diagnosed, span):
    found = diagnosed(
        """
        import layers
        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.block = layers.Block()
            def forward(self, x):
                return self.block(x)
        """,
        layers="""
        class Block(nn.Module):
            def forward(self, x):
                return x.nope  # here
        """,
    )
    assert where(found) == [("layers", "Block.forward")]
    assert span(found.place) == ("x.nope", True)
    assert found.module_type == "layers.Block"


def test_free_functions(diagnosed, span):
    found = diagnosed("""
    def inner(x):
        return x.nope  # here
    def outer(x):
        return inner(x)
    class M(nn.Module):
        def forward(self, x):
            return outer(x)
    """)
    assert where(found) == [("subject", "inner"), ("subject", "outer"), ("subject", "M.forward")]
    assert span(found.place) == ("x.nope", True)


def test_front_end_error_below_a_call_knows_the_call_site(diagnosed, span):
    """The text of a front-end error lacks the call of the function it lies in; the traceback has it."""
    found = diagnosed("""
    def variadic(x, *a):  # here
        return x
    class M(nn.Module):
        def helper(self, x):
            return variadic(x)
        def forward(self, x):
            return self.helper(x)
    """)
    assert where(found) == [("subject", "variadic"), ("subject", "M.helper"), ("subject", "M.forward")]
    assert span(found.place) == ("*a", True)


def test_error_in_torch_called_with_a_wrong_argument(diagnosed, span):
    """The compiler complains inside torch's own function; the user's frame is the call."""
    found = diagnosed("""
    class M(nn.Module):
        def forward(self, x):
            return F.dropout2d(x, True, 'a')  # here
    """)
    assert found.place is not None
    assert span(found.place)[1]


def test_error_in_torch_module_is_at_its_constructor(diagnosed, span):
    found = diagnosed("""
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(3, 3), nn.Dropout(1))  # here
        def forward(self, x):
            return self.body(x)
    """)
    assert (found.kind, found.names["argument"], found.names["found"]) == ("argument-type", "p", "int")
    assert span(found.place) == ("nn.Dropout(1)", True)
    assert found.names["owner"] == "subject.M" and found.names["owner_attribute"] == "body"
    assert found.module_type == "torch.nn.modules.dropout.Dropout"


def test_of_two_like_constructors_the_whole_value(diagnosed, span):
    found = diagnosed("""
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Dropout(0.5), nn.Dropout(1))  # here
        def forward(self, x):
            return self.body(x)
    """)
    assert span(found.place) == ("nn.Sequential(nn.Dropout(0.5), nn.Dropout(1))", True)


def test_module_without_assignment_is_at_its_class(diagnosed, span):
    found = diagnosed("""
    class M(nn.Module):  # here
        def __init__(self):
            super().__init__()
            self.add_module('d' + '1', nn.Dropout(1))
        def forward(self, x):
            return self.d1(x)
    """)
    assert found.place.column == 0
    assert b"# here" in Path(found.place.file).read_bytes().split(b"\n")[found.place.line - 1]


def test_constructor_in_a_base_class(diagnosed, span):
    found = diagnosed("""
    class P(nn.Module):
        def __init__(self):
            super().__init__()
            self.d = nn.Dropout(1)  # here
    class M(P):
        def forward(self, x):
            return self.d(x)
    """)
    assert span(found.place) == ("nn.Dropout(1)", True)
    assert found.place.function == "P.__init__"


def test_reproduced_error(diagnosed, span):
    """An attribute that holds a function: the true error is inside the text of another."""
    found = diagnosed("""
    def variadic(x, **kw):  # here
        return x
    class M(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = variadic
        def forward(self, x):
            return self.f(x)
    """)
    assert found.kind == "variable-arguments"
    assert (found.names["via_module"], found.names["via_attribute"]) == ("M", "f")
    assert span(found.place)[1]
    assert where(found) == [("subject", "variadic"), ("subject", "M.forward")]


def test_decorated_function_lies_in_its_own_file(diagnosed, span):
    """TorchScript names the decorator's file with the original's line."""
    found = diagnosed(
        """
        import wrappers
        class M(nn.Module):
            @wrappers.timed
            def forward(self, x):
                return x.nope  # here
        """,
        wrappers="""
        def timed(f):
            @functools.wraps(f)
            def inner(*args):
                return f(*args)
            return inner
        """,
    )
    assert where(found) == [("subject", "M.forward")]
    assert span(found.place) == ("x.nope", True)


def test_no_grad_decorator(diagnosed, span):
    """The decorator lies in torch, so its file is not the user's at all."""
    found = diagnosed(
        """
        import torch.nn as nn, torch as th
        class M(nn.Module):
            @th.no_grad()
            def forward(self, x):
                return th.relu(x)  # here
        """,
        prelude=False,
    )
    assert (found.kind, found.names["name"]) == ("undefined-value", "th")
    assert span(found.place) == ("th", True)
    assert found.place.file.endswith("subject.py")


def test_column_is_in_bytes(diagnosed, span):
    found = diagnosed("""
    class M(nn.Module):
        def forward(self, x):
            s = 'größer'; y = x.nope; t = 'ä'  # here
            return y
    """)
    assert span(found.place) == ("x.nope", True)


def test_tabs_and_crlf(diagnosed, span):
    source = (
        "class M(nn.Module):\n\tdef forward(self, x):\n\t\tif x is not None:\n\t\t\tx = x.nope  # here\n\t\treturn x\n"
    )
    for newline in ("\n", "\r\n"):
        found = diagnosed(source, newline=newline)
        assert span(found.place) == ("x.nope", True)
        assert found.place.column == 7


def test_multi_line_expression(diagnosed, span):
    """The span of an expression over several lines is given on its first."""
    found = diagnosed("""
    class M(nn.Module):
        def forward(self, x):
            y = (x +  # here
                 [1,
                  2])
            return y
    """)
    shown, here = span(found.place)
    assert here and shown.startswith("x +")


def test_continuation_line_left_of_the_def(diagnosed, span):
    """TorchScript indents such a line before it parses; the column is the file's nevertheless."""
    found = diagnosed("""
    class M(nn.Module):
        def forward(self, x):
            y = [
    x.nope  # here
            ]
            return y
    """)
    assert span(found.place) == ("x.nope", True)
    assert found.place.column == 0


def test_docstring_with_false_markers(diagnosed, span):
    found = diagnosed('''
    class M(nn.Module):
        def forward(self, x):
            """Usage
            ~~~~~
              File "nope.py", line 3
            ~~~ <--- HERE
            """
            return x.nope  # here
    ''')
    assert where(found) == [("subject", "M.forward")]
    assert span(found.place) == ("x.nope", True)


def test_class_in_nested_scope(diagnosed, span):
    found = diagnosed("""
    def make():
        class Inner(nn.Module):
            def forward(self, x):
                return x.nope  # here
        return Inner
    M = make()
    """)
    assert span(found.place) == ("x.nope", True)
    assert found.place.function == "make.<locals>.Inner.forward"
    assert found.module_type == "subject.make.<locals>.Inner"


def test_run_time_frames_come_outermost_first(diagnosed, span):
    found = diagnosed("""
    class M(nn.Module):
        def helper(self, x):
            return torch.mm(x, x)  # here
        def forward(self, x):
            return self.helper(x)
    """)
    assert where(found) == [("subject", "helper"), ("subject", "forward")]
    assert span(found.place) == ("torch.mm", True)


def test_raise_with_a_message_of_several_lines(diagnosed):
    found = diagnosed("""
    class M(nn.Module):
        def forward(self, x):
            if bool(x.sum() > 0):
                raise ValueError("first\\nsecond ~~~ third")
            return x
    """)
    assert (found.kind, found.names["exception"]) == ("python-exception", "ValueError")
    assert found.message == "raises ValueError: first"


def test_use_of_a_variable_is_no_caller(diagnosed, span):
    found = diagnosed("""
    class M(nn.Module):
        def helper(self, x):
            if bool(x.sum() > 0):  # here
                y = x
            return y
        def forward(self, x):
            return self.helper(x)
    """)
    assert where(found) == [("subject", "M.helper"), ("subject", "M.forward")]
    assert int(found.names["used_line"]) == found.place.line + 2


def test_reloaded_module_points_to_the_original_code(diagnosed, span):
    def reload(torch, module):
        import io

        buffer = io.BytesIO()
        torch.jit.save(torch.jit.script(module.M()), buffer)
        buffer.seek(0)
        torch.jit.load(buffer)(torch.ones(2, 3))

    found = diagnosed(
        """
        class M(nn.Module):
            def forward(self, x):
                return torch.mm(x, x)  # here
        """,
        act=reload,
    )
    assert found.kind == "shape-mismatch"
    assert span(found.place) == ("torch.mm", True)


def test_error_while_tracing_is_where_python_was(diagnosed, span):
    def trace(torch, module):
        torch.jit.trace(module.M(), torch.ones(2, 3))

    found = diagnosed(
        """
        class Block(nn.Module):
            def forward(self, x):
                return torch.mm(x, x)  # here
        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.b = Block()
            def forward(self, x):
                return self.b(x)
        """,
        act=trace,
    )
    assert found.kind == "shape-mismatch"
    assert span(found.place) == ("torch.mm(x, x)", True)
    assert len(found.chain) == 1


def test_exception_of_python_code_while_tracing(diagnosed, span):
    found = diagnosed(
        """
        class M(nn.Module):
            def forward(self, x):
                return x + {}["gain"]  # here
        """,
        act=lambda torch, module: torch.jit.trace(module.M(), torch.ones(2, 3)),
    )
    assert (found.kind, found.names, found.message) == (
        "python-exception",
        {"exception": "KeyError"},
        "raises KeyError: 'gain'",
    )
    assert span(found.place) == ('{}["gain"]', True)


def test_property_that_raises_while_tracing(diagnosed, span):
    found = diagnosed(
        """
        class M(nn.Module):
            @property
            def device(self):
                return next(self.parameters()).device  # here
            def forward(self, x):
                return x
        """,
        act=lambda torch, module: torch.jit.trace(module.M(), torch.ones(2, 3)),
    )
    assert (found.kind, found.names["property"], found.names["exception"]) == (
        "property-raised",
        "device",
        "StopIteration",
    )
    assert span(found.place) == ("next(self.parameters())", True)


def test_trace_that_fails_on_another_size(diagnosed, span):
    """The interpreter shows the Python stack that the trace kept."""

    def trace(torch, module):
        torch.jit.trace(module.M(), torch.ones(2, 3))(torch.ones(3, 3))

    found = diagnosed(
        """
        class M(nn.Module):
            def forward(self, x):
                return x.view(2, 3)  # here
        """,
        act=trace,
    )
    assert found.kind == "shape-mismatch"
    assert b"# here" in Path(found.place.file).read_bytes().split(b"\n")[found.place.line - 1]


def test_scripted_free_function(diagnosed, span):
    found = diagnosed(
        """
        def f(x):
            return x.nope  # here
        """,
        act=lambda torch, module: torch.jit.script(module.f),
    )
    assert span(found.place) == ("x.nope", True)
    assert found.module_type is None


def test_text_alone():
    text = (
        "\n'Tensor' object has no attribute or method 'forward'.:\n"
        '  File "/lib/torch/nn/x.py", line 7\n    a = 1\n    b = y.forward(2)\n        ~~~~~~~~~ <--- HERE\n'
        "'P.helper' is being compiled since it was called from 'P.forward'\n"
        '  File "/home/me/model.py", line 3\n        return self.helper(x)\n               ~~~~~~~~~~~ <--- HERE\n'
    )
    found = diagnose_text(text, lambda file: file.startswith("/home"))
    assert found.kind == "no-attribute-on-type"
    place = found.place
    assert (place.file, place.line, place.column, place.end_column) == ("/home/me/model.py", 3, 15, 26)
    assert place.function == "P.forward" and found.chain == ()
    inside = diagnose_text(text, lambda file: True)
    assert (inside.place.line, inside.place.function, len(inside.chain)) == (7, "P.helper", 1)


def test_text_that_was_cut_off():
    text = '\nundefined value q:\n  File "/home/me/model.py", line 3\n        return q'
    found = diagnose_text(text, lambda file: True)
    assert (found.place.line, found.place.column) == (3, None)
