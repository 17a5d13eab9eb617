import ast
import textwrap

import pytest

from tsrefactor.source.document import Change, Document
from tsrefactor.source.edits import (
    AddBase,
    AddDecorator,
    AddElse,
    AddToClass,
    AnnotateParameter,
    AnnotateReturn,
    InsertAfter,
    InsertBefore,
    Piece,
    RemoveDecorator,
    Replace,
    SpellOutParameters,
)
from tsrefactor.source.file import SourceFile
from tsrefactor.source.surgery import EditRefused, Surgeon
from tsrefactor.source.templates import TemplateError


def source(text, tmp_path):
    path = tmp_path / "m.py"
    path.write_bytes(textwrap.dedent(text).encode())
    return SourceFile.read(path)


def made(file, *edits):
    surgeon = Surgeon(file)
    changes = [Change(n, (surgeon.splice(edit),)) for n, edit in enumerate(edits, 1)]
    text = Document(file).apply(changes).text
    ast.parse(text)
    return text


def find(file, kind, text=None):
    return next(n for n in ast.walk(file.tree) if isinstance(n, kind) and (text is None or ast.unparse(n) == text))


def test_replaces_an_expression_and_keeps_its_pieces(tmp_path):
    file = source("y = torch.arange(len(a [ 0 ]))  # kept\n", tmp_path)
    call = find(file, ast.Call, "len(a[0])")
    text = made(file, Replace(call, "{v}.shape[0]", {"v": call.args[0]}))
    assert text == "y = torch.arange(a [ 0 ].shape[0])  # kept\n"


def test_a_comment_goes_with_its_statement(tmp_path):
    file = source("def f():\n    a = 1\n\n    # both\n    b = 2  # goes\n    # only c\n    c = 3\n", tmp_path)
    text = made(file, Replace([find(file, ast.Assign, "b = 2")], ""))
    assert text == "def f():\n    a = 1\n\n    # only c\n    c = 3\n"


def test_comments_go_with_what_is_put_under_a_header(tmp_path):
    file = source('def f():\n    """Doc."""\n\n    # first\n    a = 1  # one\n\n    # second\n    b = 2\n', tmp_path)
    body = find(file, ast.FunctionDef).body[1:]
    text = made(file, Replace(body, "with c:\n    {body}", {"body": body}))
    lines = ["with c:", "    # first", "    a = 1  # one", "", "    # second", "    b = 2", ""]
    assert text == 'def f():\n    """Doc."""\n\n' + "\n".join(f"    {line}" if line else "" for line in lines)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_puts_a_decorator_above_the_others(newline, tmp_path):
    text = "class A:\n    # both\n    @first\n    def f(self):\n        pass\n"
    file = source(text.replace("\n", newline), tmp_path)
    after = text.replace("    @first", "    @torch.jit.unused\n    @first").replace("\n", newline)
    assert made(file, AddDecorator(find(file, ast.FunctionDef), "torch.jit.unused")) == after


@pytest.mark.parametrize(
    ("head", "new"),
    [("class A:  # a", "class A(B):  # a"), ("class A( ): pass", "class A(B): pass"), ("class A(object):", None)],
)
def test_gives_a_class_a_base(head, new, tmp_path):
    text = f"x = 1\n\n{head}\n    n = 1\n" if head[-1] != "s" else f"x = 1\n{head}\n"
    file = source(text, tmp_path)
    edit = AddBase(find(file, ast.ClassDef), "B")
    if new is None:
        with pytest.raises(EditRefused):
            made(file, edit)
    else:
        assert made(file, edit) == text.replace(head, new)


def test_takes_a_decorator_off(tmp_path):
    text = "class A:\n    # both\n    @first\n    @second(1,\n            2)  # goes\n    # f\n"
    text += "    def f(self):\n        pass\n"
    file = source(text, tmp_path)
    decorator = find(file, ast.FunctionDef).decorator_list[1]
    after = "class A:\n    # both\n    @first\n    # f\n    def f(self):\n        pass\n"
    assert made(file, RemoveDecorator(decorator)) == after


def test_parenthesises_a_piece_that_needs_it(tmp_path):
    file = source("y = len(a + b)\n", tmp_path)
    call = find(file, ast.Call)
    assert made(file, Replace(call, "{v}.shape[0]", {"v": call.args[0]})) == "y = (a + b).shape[0]\n"


def test_parenthesises_the_new_expression_where_it_stands(tmp_path):
    file = source("y = 2 * f(a)\n", tmp_path)
    call = find(file, ast.Call)
    assert made(file, Replace(call, "{v} + 1", {"v": call.args[0]})) == "y = 2 * (a + 1)\n"


def test_a_multiline_piece_stays_valid_without_its_brackets(tmp_path):
    file = source("y = f(a +\n      b)\n", tmp_path)
    call = find(file, ast.Call)
    assert made(file, Replace(call, "{v}", {"v": call.args[0]})) == "y = (a +\n      b)\n"


def test_finds_nodes_behind_non_ascii_text_and_in_tuples(tmp_path):
    file = source('y = "é", len(x)\nz = {"ü": (len(x), 1)}\n', tmp_path)
    calls = [n for n in ast.walk(file.tree) if isinstance(n, ast.Call)]
    edits = [Replace(c, "{v}.shape[0]", {"v": c.args[0]}) for c in calls]
    assert made(file, *edits) == 'y = "é", x.shape[0]\nz = {"ü": (x.shape[0], 1)}\n'


def test_replaces_a_tuple_and_its_parentheses(tmp_path):
    file = source("y = (a, b)\n", tmp_path)
    assert made(file, Replace(find(file, ast.Tuple), "[{a}]", {"a": find(file, ast.Name, "a")})) == "y = [a]\n"


def test_finds_a_tuple_that_begins_on_the_line_after_its_parenthesis(tmp_path):
    file = source("y = f(\n    (\n        a,\n        (b, c),\n    ),\n)\n", tmp_path)
    edit = Replace(find(file, ast.Tuple), "g({a})", {"a": find(file, ast.Name, "a")})
    assert made(file, edit) == "y = f(\n    g(a),\n)\n"


METHOD = """\
class A:
    def f(self, x, n=3):
        # about y
        y = x  # beside y
        if y:

            # inside
            y = y + self.k  # one
        return y
"""


def test_replaces_statements_and_keeps_the_comments_around(tmp_path):
    file = source(METHOD, tmp_path)
    assign = find(file, ast.Assign)
    text = made(file, Replace([assign], "y = {v} + 0\nz = y\n", {"v": assign.value}))
    assert "        # about y\n        y = x + 0  # beside y\n        z = y\n        if y:\n" in text


def test_moves_a_block_to_module_level_with_changes(tmp_path):
    file = source(METHOD, tmp_path)
    block = find(file, ast.If)
    attribute = find(file, ast.Attribute, "self.k")
    helper = "def _h(y, k):\n    if {c}:\n        {body}\n    return y\n"
    pieces = {"c": block.test, "body": Piece(block.body, {attribute: "k"})}
    text = made(file, InsertBefore(file.tree.body[0], helper, pieces), Replace([block], "y = _h(y, self.k)"))
    assert text.startswith(
        "def _h(y, k):\n    if y:\n\n        # inside\n        y = y + k  # one\n    return y\n\n\nclass A:\n"
    )
    assert "        y = _h(y, self.k)\n        return y\n" in text


def test_inserts_above_the_comment_that_belongs_to_the_statement(tmp_path):
    file = source(METHOD, tmp_path)
    text = made(file, InsertBefore(find(file, ast.Assign), "if not x:\n    raise ValueError('x')"))
    assert "        if not x:\n            raise ValueError('x')\n        # about y\n        y = x" in text


def test_inserts_after_a_statement_and_after_the_last_line_without_newline(tmp_path):
    file = source("def f(x):\n    y = x\n    return y", tmp_path)
    assign, return_ = file.tree.body[0].body
    assert made(file, InsertAfter(assign, "z = 1")) == "def f(x):\n    y = x\n    z = 1\n    return y"
    assert made(file, InsertAfter(return_, "z = 1")) == "def f(x):\n    y = x\n    return y\n    z = 1"


def test_annotates_parameters_and_returns(tmp_path):
    file = source("def f(x, n=3, *, m = None):\n    return x\n", tmp_path)
    function = file.tree.body[0]
    edits = [AnnotateParameter(function, "n", "int"), AnnotateParameter(function, "m", "Optional[int]")]
    text = made(file, *edits, AnnotateReturn(function, "Tensor"))
    assert text == "def f(x, n: int = 3, *, m: Optional[int] = None) -> Tensor:\n    return x\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("class A:\n    pass\n", "class A:\n    n: int\n\n    pass\n"),
        ('class A:\n    """Doc."""\n\n    k = 1\n', 'class A:\n    """Doc."""\n\n    n: int\n\n    k = 1\n'),
        ("class A:\n    m: int\n\n    k = 1\n", "class A:\n    n: int\n    m: int\n\n    k = 1\n"),
        ("class A:\n    # c\n    def f(self): pass\n", "class A:\n    n: int\n\n    # c\n    def f(self): pass\n"),
    ],
)
def test_declares_in_a_class_body(before, after, tmp_path):
    file = source(before, tmp_path)
    assert made(file, AddToClass(file.tree.body[0], "n: int")) == after


def test_follows_line_endings_and_indentation_of_the_file(tmp_path):
    file = source("class A:\r\n\tdef f(self, x):\r\n\t\treturn x\r\n", tmp_path)
    text = made(file, InsertBefore(find(file, ast.Return), "if x:\n    y = 1"))
    assert text == "class A:\r\n\tdef f(self, x):\r\n\t\tif x:\r\n\t\t\ty = 1\r\n\t\treturn x\r\n"


def test_an_edit_of_a_decorated_function_after_a_form_feed(tmp_path):
    file = source("x = 1\n\x0c\n@deco\ndef f(a, n=1):\n    return len(a)\n", tmp_path)
    call = find(file, ast.Call)
    text = made(file, Replace(call, "{v}.shape[0]", {"v": call.args[0]}))
    assert text == "x = 1\n\x0c\n@deco\ndef f(a, n=1):\n    return a.shape[0]\n"


def test_refuses_what_shares_a_line(tmp_path):
    file = source("def f(x):\n    y = x; z = y\n    if x: y = z\n    return y\n", tmp_path)
    body = file.tree.body[0].body
    with pytest.raises(EditRefused, match="several statements share line 2"):
        Surgeon(file).splice(Replace([body[0]], "pass"))
    with pytest.raises(EditRefused, match="shares its line with the block's header"):
        Surgeon(file).splice(Replace([body[2].body[0]], "pass"))


def test_a_template_without_its_piece_is_a_defect(tmp_path):
    file = source("y = f(a)\n", tmp_path)
    with pytest.raises(TemplateError, match="no piece for placeholder 'v'"):
        Surgeon(file).splice(Replace(find(file, ast.Call), "{v}.shape[0]"))


@pytest.mark.parametrize("newline", ["\r", "\r\n"])
def test_new_lines_end_as_the_others_of_the_file(newline, tmp_path):
    text = "def f(x):\n    # what\n    y = g(\n        x)\n    return y\n"
    file = source(text.replace("\n", newline), tmp_path)
    statement = file.tree.body[0].body[0]
    edits = [
        AnnotateParameter(file.tree.body[0], "x", "int"),
        Replace([statement], "if h:\n    y = {v}", {"v": statement.value}),
        InsertBefore(file.tree.body[0], "z = 1"),
    ]
    after = "z = 1\n\n\ndef f(x: int):\n    # what\n    if h:\n        y = g(\n            x)\n    return y\n"
    assert made(file, *edits) == after.replace("\n", newline)


def test_a_lone_return_outside_of_the_edit_stays(tmp_path):
    file = source("def f(x):\r    # what\r    y = g(x)\n    return y\n", tmp_path)
    call = find(file, ast.Call)
    assert made(file, Replace(call, "h({v})", {"v": call.args[0]})) == file.text.replace("g(x)", "h(x)")


def test_gives_a_chain_its_else_and_keeps_comments(tmp_path):
    file = source("""
        def f(x):
            if x == 1:  # one
                y = 2
            elif x == 2:
                y = 3
                # the last
            return y
        """, tmp_path)  # fmt: skip
    text = made(file, AddElse(find(file, ast.If), "raise ValueError(x)"))
    assert "        y = 3\n        # the last\n    else:\n        raise ValueError(x)\n    return y\n" in text
    assert "if x == 1:  # one\n" in text


def test_refuses_a_second_else(tmp_path):
    file = source("if a:\n    b = 1\nelse:\n    b = 2\n", tmp_path)
    with pytest.raises(EditRefused, match="has an `else` already"):
        made(file, AddElse(find(file, ast.If), "raise ValueError(a)"))


def test_a_declaration_before_others_keeps_the_blank_line_after_the_docstring(tmp_path):
    file = source('class A:\n    """Doc."""\n\n    b: int\n', tmp_path)
    text = made(file, AddToClass(find(file, ast.ClassDef), "a: int"))
    assert text == 'class A:\n    """Doc."""\n\n    a: int\n    b: int\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f():\n    a = 1\n\n    b = 2\n    c = 3\n", "def f():\n    a = 1\n\n    c = 3\n"),
        ("def f():\n    b = 2\n\n    # c\n    c = 3\n", "def f():\n    # c\n    c = 3\n"),
        ("def f():\n    a = 1\n\n    b = 2\n", "def f():\n    a = 1\n"),
    ],
)
def test_takes_out_a_statement(before, after, tmp_path):
    file = source(before, tmp_path)
    assert made(file, Replace([find(file, ast.Assign, "b = 2")], "")) == after


def test_leaves_no_block_empty(tmp_path):
    file = source("def f():\n    b = 2\n", tmp_path)
    with pytest.raises(EditRefused, match="nothing is left of the block at line 2"):
        made(file, Replace([find(file, ast.Assign)], ""))


@pytest.mark.parametrize(
    ("before", "after", "positional", "keywords"),
    [
        ("self, x, *args, **kwargs", "self, x", (), ()),
        ("self, *args, **kwargs", "self, a, b: int", ("a", "b: int"), ()),
        ("x, *args, k=1, **kwargs", "x, a, k=1", ("a",), ()),
        ("x, *, k=1, c", "x, c, k=1", (), ()),
        ("x, n=2, *, k=1, c", "x, n=2, k=1, *, c", (), ()),
        ("x, n=2, **kwargs", "x, n=2, m: int = 3", (), ("m: int = 3",)),
        ("\n    x,\n    *,\n    k=1,\n    **kwargs,\n", "\n    x,\n    k=1,\n", (), ()),
        ("*args", "", (), ()),
    ],
)
def test_spells_out_parameters(before, after, positional, keywords, tmp_path):
    file = source(f"def f({before}) -> int:  # noqa\n    pass\n", tmp_path)
    edit = SpellOutParameters(find(file, ast.FunctionDef), positional, keywords)
    assert made(file, edit) == f"def f({after}) -> int:  # noqa\n    pass\n"
