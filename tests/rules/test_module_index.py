"""module-index: parts of a range, names, and what is left alone."""

import pytest
import torch  # noqa: F401  imported before the forks

from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules import Example
from tsrefactor.rules.module_index import ModuleIndex
from tsrefactor.vocabulary import Target

RULE = ModuleIndex()
INIT = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, n=3):
        super().__init__()
        self.n, self.m = n, n
        self.count = n
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(n)])
        self.pair = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
        self.weights = nn.ParameterList([nn.Parameter(torch.ones(4)) for _ in range(n)])
        self.grown = nn.ModuleList()
        for _ in range(n):
            self.grown.append(nn.Linear(4, 4))

    def forward(self, x, k: int = 2):
"""


def model(body: str) -> str:
    return INIT + "".join(f"        {line}\n" if line else "\n" for line in body.splitlines())


UNLIKE = "{}:\n    for i in range(self.count):\n        x = self.pair[i](self.layers[i](x))\n{}\nreturn x"


def loop(head: str, *body: str) -> str:
    return model("\n".join([head, *(f"    {line}" for line in body), "return x"]))


@pytest.mark.parametrize(
    "before", ["for i in range(self.count):", "for i in range(len(self.layers)):", "for i in range(0, self.count, 1):"]
)
def test_whole_range(before, tmp_path):
    file = source(tmp_path / "model.py", loop(before, "x = self.layers[i](x)"))
    assert rewritten(RULE, file) == loop("for layer in self.layers:", "x = layer(x)")


def test_a_module_that_is_read_only_under_a_condition(tmp_path):
    """There may be fewer modules than rounds, so the loop cannot go over the modules."""
    body = "for i in range(self.depth):\n    if k > 1:\n        x = self.layers[i](x)\n    x = x + 1\nreturn x"
    after = rewritten(RULE, source(tmp_path / "model.py", model(body)))
    assert "for i in range(self.depth):" in after


def test_a_known_length_may_be_read_under_a_condition(tmp_path):
    body = "for i in range(self.count):\n    if k > 1:\n        x = self.layers[i](x)\nreturn x"
    after = rewritten(RULE, source(tmp_path / "model.py", model(body)))
    assert "for layer in self.layers:" in after


@pytest.mark.parametrize(
    ("before", "guard"),
    [
        ("for i in range(1, self.count):", "if i >= 1:"),
        ("for i in range(k):", "if i < k:"),
        ("for i in range(3):", "if i < 3:"),
        ("for i in range(self.depth):", "if i < self.depth:"),
        ("for i in range(1, k):", "if 1 <= i < k:"),
        ("for i in range(len(self.layers) - 1):", "if i < len(self.layers) - 1:"),
    ],
)
def test_part_of_the_range_is_guarded(before, guard, tmp_path):
    file = source(tmp_path / "model.py", loop(before + "  # some", "# one", "x = self.layers[i](x)", "# done"))
    after = loop(
        "for i, layer in enumerate(self.layers):  # some", guard, "    # one", "    x = layer(x)", "    # done"
    )
    assert rewritten(RULE, file) == after


def test_length_of_a_literal_list_and_of_a_grown_one(tmp_path):
    text = model(
        "for i in range(2):\n    x = self.pair[i](x)\nfor j in range(self.count):\n    x = self.grown[j](x)\nreturn x"
    )
    file = source(tmp_path / "model.py", text)
    assert [f.presumed for f in findings(RULE, file)] == [False, False]


LOCAL = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, n=3):
        super().__init__()
        self.n = n
        layers = []
        for i in range(n):
            {body}
        self.layers = nn.ModuleList(layers)

    def forward(self, x):
        for i in range(self.n):
            x = self.layers[i](x)
        return x
"""


@pytest.mark.parametrize(
    ("body", "known"),
    [
        ("layers.append(nn.Linear(4, 4))", True),
        ("layers.append(nn.Linear(4, 4)); layers.append(nn.ReLU())", False),
        ("if i: layers.append(nn.Linear(4, 4))", False),
        ("if i: continue\n            layers.append(nn.Linear(4, 4))", False),
        ("layers.append(nn.Linear(4, 4)); n -= 1", False),
        ("layers += [nn.Linear(4, 4)]", False),
    ],
)
def test_length_of_a_list_that_was_filled_first(body, known, tmp_path):
    after = rewritten(RULE, source(tmp_path / "model.py", LOCAL.format(body=body)))
    assert ("        for layer in self.layers:\n            x = layer(x)\n" in after) == known


def test_two_loops_get_two_names(tmp_path):
    body = "for i in range({0}):\n    x = {1}(x)\nfor i in range({0}):\n    x = {2}(x)\nlayer_2 = 1\nreturn x"
    file = source(tmp_path / "model.py", model(body.format("self.count", "self.layers[i]", "self.layers[i]")))
    after = rewritten(RULE, file)
    assert "for layer in self.layers:" in after and "for module in self.layers:" in after


@pytest.mark.parametrize(("other", "told"), [("pair", True), ("weights", False)])
def test_containers_that_may_be_unlike(other, told, tmp_path):
    text = model(UNLIKE.replace("pair", other).format("if k", "else:\n    pass"))
    (found,) = findings(RULE, source(tmp_path / "model.py", text))
    assert found.fixable and (found.caveat is not None) == told


def test_index_that_is_read_elsewhere_stays(tmp_path):
    file = source(tmp_path / "model.py", loop("for i in range(self.count):", "x = self.layers[i](x) * i"))
    assert rewritten(RULE, file) == loop("for i, layer in enumerate(self.layers):", "x = layer(x) * i")


@pytest.mark.parametrize(
    "text",
    [
        loop("for i in range(self.count):", "x = self.layers[i](x)", "if i == k:", "    break"),
        loop("for i in range(self.count):", "x = self.layers[i](x)", "i = i + 1"),
        loop("for i in range(1, k):", "y = self.layers[i](x)").replace("return x", "return y"),
        model("for i in range(self.count):\n    self.layers[i] = None\nreturn x"),
        model("i = 0\nfor i in range(2):\n    x = self.layers[i](x)\nreturn x + i"),
        model(UNLIKE.format("try", "except IndexError:\n    pass")),
    ],
)
def test_loops_that_cannot_go_over_the_container_are_left_to_module_by_index(text, tmp_path):
    assert findings(RULE, source(tmp_path / "model.py", text)) == []


@pytest.mark.parametrize(
    ("head", "after"),
    [
        ("for i in range(self.depth):", "for i, m in enumerate(self.layers):"),
        ("for i in range(self.count):", "for m in self.layers:"),
    ],
)
def test_a_module_that_the_loop_gives_a_name(head, after, tmp_path):
    file = source(tmp_path / "model.py", loop(head, "m = self.layers[i]", "x = m(x)"))
    text = rewritten(RULE, file)
    assert after in text and "self.layers[i]" not in text and " m = " not in text


@pytest.mark.parametrize(
    ("body", "stays"),
    [
        (("m = self.layers[i]", "m = x + 1", "x = m"), "m = layer\n"),
        (("m = self.layers[i]  # the module", "x = m(x)"), "m = layer  # the module\n"),
        (("x = x + 1", "m = self.layers[i]", "x = m(x)"), "m = layer\n"),
    ],
)
def test_other_names_of_the_module_stay(body, stays, tmp_path):
    assert stays in rewritten(RULE, source(tmp_path / "model.py", loop("for i in range(self.count):", *body)))


def test_break_of_an_inner_loop_is_no_hindrance(tmp_path):
    body = ("for j in range(3):", "    if j == k:", "        break", "    x = self.layers[i](x)")
    file = source(tmp_path / "model.py", loop("for i in range(self.count):", *body))
    assert [f.fixable for f in findings(RULE, file)] == [True]


def test_plain_lists_are_left_alone(tmp_path):
    assert findings(RULE, source(tmp_path / "model.py", loop("for i in range(k):", "x = [x, x][i] + x.shape[i]"))) == []


@pytest.mark.parametrize(("bounds", "guard"), [(":-1", "i < len(self.layers) - 1"), ("1:3", "1 <= i < 3")])
def test_slices(bounds, guard, tmp_path):
    file = source(tmp_path / "model.py", loop(f"for layer in self.layers[{bounds}]:", "x = layer(x)"))
    after = loop("for i, layer in enumerate(self.layers):", f"if {guard}:", "    x = layer(x)")
    assert rewritten(RULE, file) == after


def test_slice_with_a_step_is_left_alone(tmp_path):
    found = findings(RULE, source(tmp_path / "model.py", loop("for layer in self.layers[::2]:", "x = layer(x)")))
    assert [f.fixable for f in found] == [False]


def test_second_loop_under_one_name(tmp_path):
    body = "for m in self.layers:\n    x = m(x)\nif k > 1:\n    for m in self.pair:\n        x = m(x)\nreturn x"
    file = source(tmp_path / "model.py", model(body))
    told = diagnosis(file, "reassign-module", "for m in self.pair", variable="m")
    assert rewritten(RULE, file, told) == model(
        "for m in self.layers:\n    x = m(x)\nif k > 1:\n    for m_2 in self.pair:\n        x = m_2(x)\nreturn x"
    )


def test_diagnosis_tells_of_a_container_that_the_source_does_not_show(tmp_path):
    file = source(tmp_path / "model.py", loop("for i in range(self.n):", "x = self.hidden[i](x)"))
    assert findings(RULE, file) == []
    after = rewritten(RULE, file, diagnosis(file, "integer-literal-index", "self.hidden[i]"))
    assert after == loop("for i, layer in enumerate(self.hidden):", "if i < self.n:", "    x = layer(x)")


MODEL = """\
import torch
from torch import nn


class Model(nn.Module):
"""


def example_of(before: str, after: str, error: str = "Expected integer literal", inputs: str = "") -> Example:
    return Example(
        before=MODEL + before,
        after=MODEL + after,
        inputs=inputs or "[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
        breaks=Target.SCRIPT,
        error=error,
    )


MORE = {
    "beside a numbered one": example_of(
        """\
    def __init__(self, depth=2):
        super().__init__()
        self.convs = nn.ModuleList([nn.Linear(4, 4) for _ in range(depth)])
        self.norms = nn.ModuleList([nn.LayerNorm(4) for _ in range(depth + 1)])
        self.acts = nn.ModuleList([nn.ReLU() for _ in range(depth)])

    def forward(self, x):
        for i, conv in enumerate(self.convs):  # as in PointNet++
            norm = self.norms[i]
            x = torch.relu(norm(conv(x)))
        for i, conv in enumerate(self.convs):
            x = self.acts[i](conv(x)) + i
        return x
""",
        """\
    def __init__(self, depth=2):
        super().__init__()
        self.convs = nn.ModuleList([nn.Linear(4, 4) for _ in range(depth)])
        self.norms = nn.ModuleList([nn.LayerNorm(4) for _ in range(depth + 1)])
        self.acts = nn.ModuleList([nn.ReLU() for _ in range(depth)])

    def forward(self, x):
        for conv, norm in zip(self.convs, self.norms):  # as in PointNet++
            x = torch.relu(norm(conv(x)))
        for i, (conv, act) in enumerate(zip(self.convs, self.acts)):
            x = act(conv(x)) + i
        return x
""",
    ),
    "nested containers": example_of(
        """\
    def __init__(self, stages=2, depth=2):
        super().__init__()
        self.stages, self.depth = stages, depth
        self.blocks = nn.ModuleList([nn.ModuleList([nn.Linear(4, 4) for _ in range(depth)]) for _ in range(stages)])

    def forward(self, x):
        for i in range(len(self.blocks)):
            for j in range(self.depth):
                x = self.blocks[i][j](x)
        return x
""",
        """\
    def __init__(self, stages=2, depth=2):
        super().__init__()
        self.stages, self.depth = stages, depth
        self.blocks = nn.ModuleList([nn.ModuleList([nn.Linear(4, 4) for _ in range(depth)]) for _ in range(stages)])

    def forward(self, x):
        for block in self.blocks:
            for layer in block:
                x = layer(x)
        return x
""",
    ),
    "slice and reversed": example_of(
        """\
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])

    def forward(self, xs: list[torch.Tensor]):
        for conv in self.convs[1:]:
            xs[0] = conv(xs[0])
        y = xs[0]
        for conv in reversed(self.convs):
            y = conv(y)
        return y
""",
        """\
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])

    def forward(self, xs: list[torch.Tensor]):
        for i, conv in enumerate(self.convs):
            if i >= 1:
                xs[0] = conv(xs[0])
        y = xs[0]
        for index in range(len(self.convs) - 1, -1, -1):
            for j, conv_2 in enumerate(self.convs):
                if j == index:
                    y = conv_2(y)
        return y
""",
        error="__call__",
        inputs="[([torch.rand(2, 4) for _ in range(3)],), ([torch.rand(3, 4) for _ in range(2)],)]",
    ),
    "backwards by a slice": example_of(
        """\
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])

    def forward(self, x):
        for conv in self.convs[::-1]:
            x = conv(x)
        return x
""",
        """\
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])

    def forward(self, x):
        for i in range(len(self.convs) - 1, -1, -1):
            for j, conv in enumerate(self.convs):
                if j == i:
                    x = conv(x)
        return x
""",
        error="__call__",
        inputs="[(torch.rand(6, 4),), (torch.rand(3, 4),)]",
    ),
}


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more_examples(example, tmp_path):
    prove(RULE, example, tmp_path)


def test_a_local_name_of_init_is_not_the_length_elsewhere(tmp_path):
    before = (
        "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n    def __init__(self, n):\n"
        "        super().__init__()\n        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(n)])\n\n"
        "    def forward(self, x, n: int):\n        for i in range(n):\n"
        "            x = self.layers[i](x)\n        return x\n"
    )
    after = rewritten(ModuleIndex(), source(tmp_path / "model.py", before))
    assert "for i, layer in enumerate(self.layers):\n            if i < n:\n                x = layer(x)\n" in after


@pytest.mark.parametrize(
    ("before", "after", "condition"),
    [
        ("enumerate(self.layers[:-1])", "enumerate(self.layers)", "i < len(self.layers) - 1"),
        ("enumerate(self.layers[1:])", "enumerate(self.layers, -1)", "i >= 0"),
        ("enumerate(self.layers[1:-1])", "enumerate(self.layers, -1)", "0 <= i < len(self.layers) - 2"),
        ("enumerate(self.layers[1:3])", "enumerate(self.layers, -1)", "0 <= i < 2"),
    ],
)
def test_a_numbered_slice(before, after, condition, tmp_path):
    file = source(tmp_path / "model.py", loop(f"for i, layer in {before}:", "x = layer(x) * i"))
    written = loop(f"for i, layer in {after}:", f"if {condition}:", "    x = layer(x) * i")
    assert rewritten(RULE, file) == written
    inputs, error = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]", "no attribute '__call__'"
    prove(RULE, Example(file.text, written, inputs, Target.SCRIPT, error=error), tmp_path)


@pytest.mark.parametrize(
    ("before", "over", "condition"),
    [
        ("a, b in zip(self.layers[:-1], self.grown)", "zip(self.layers, self.grown)", "i < len(self.layers) - 1"),
        ("a, b in zip(self.layers[1:], self.grown[1:])", "zip(self.layers, self.grown), -1", "i >= 0"),
        ("i, (a, b) in enumerate(zip(self.layers, self.pair[:1]))", "zip(self.layers, self.pair)", "i < 1"),
    ],
)
def test_slices_side_by_side(before, over, condition, tmp_path):
    file = source(tmp_path / "model.py", loop(f"for {before}:", "x = b(a(x))"))
    written = loop(f"for i, (a, b) in enumerate({over}):", f"if {condition}:", "    x = b(a(x))")
    assert rewritten(RULE, file) == written
    inputs, error = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]", "no attribute '__call__'"
    prove(RULE, Example(file.text, written, inputs, Target.SCRIPT, error=error), tmp_path)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("for i, layer in enumerate(self.layers[k:]):", "no literals"),
        ("for i, layer in enumerate(self.layers[-2:]):", "no literals"),
        ("for i, layer in enumerate(self.layers[::2]):", "no literals"),
        ("for pair in enumerate(self.layers[1:]):", "no pair of names"),
        ("for i, layer in enumerate(self.layers[1:], 1):", "no pair of names"),
        ("for a, b in zip(self.layers[1:], self.grown):", "not alike"),
    ],
)
def test_a_numbered_slice_that_stays(head, reason, tmp_path):
    file = source(tmp_path / "model.py", loop(head, "x = x + 1"))
    assert rewritten(RULE, file) == file.text
    [found] = findings(RULE, file)
    assert reason in found.message


def test_a_numbered_slice_whose_number_is_read_later(tmp_path):
    file = source(tmp_path / "model.py", loop("for i, layer in enumerate(self.layers[1:]):", "x = layer(x)") + "")
    later = source(tmp_path / "later.py", file.text.replace("return x", "return x * i"))
    assert rewritten(RULE, later) == later.text


@pytest.mark.parametrize(
    "body",
    [
        "for i, conv in enumerate(self.convs):\n            x = conv(x)\n            if i > 0:\n"
        "                x = self.norms[i](x)\n",
        "for i, conv in enumerate(self.convs):\n            i = 0\n            x = self.norms[i](conv(x))\n",
        "for i, conv in enumerate(self.convs, 1):\n            x = self.norms[i](conv(x))\n",
        "for i, conv in enumerate(self.convs):\n            other = self.convs[i]\n            x = other(conv(x))\n",
        "for i, conv in enumerate(self.convs):\n            x = self.norms[i + 1](conv(x))\n",
    ],
)
def test_a_numbered_loop_that_stays(body, tmp_path):
    text = (
        "from torch import nn\n\n\nclass Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.convs = nn.ModuleList([nn.ReLU(), nn.ReLU()])\n"
        "        self.norms = nn.ModuleList([nn.ReLU(), nn.ReLU()])\n\n    def forward(self, x):\n"
        f"        {body}        return x\n"
    )
    assert findings(ModuleIndex(), source(tmp_path / "model.py", text)) == []
