"""refine-optional: further forms, and where it must not act."""

import pytest

from tests.rules.more_examples.refine_optional import HEAD, MORE, STATE
from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.refine_optional import RefineOptional


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more(example, tmp_path):
    prove(RefineOptional(), example, tmp_path)


def found(tmp_path, body, at, kind="arguments-not-valid", **names):
    file = source(tmp_path / "model.py", HEAD + body)
    return file, diagnosis(file, kind, at, found="Optional[Tensor]", expected="Tensor", argument="other", **names)


@pytest.mark.parametrize(
    ("expression", "at"),
    [
        ("x if not self.training else x * m", "x * m"),
        ("self.training and x * m", "x * m"),
        ("[x * m for _ in range(0)]", "x * m"),
    ],
)
def test_what_is_not_always_evaluated_is_advice(tmp_path, expression, at):
    body = (
        "class Model(nn.Module):\n    def forward(self, x, m: Optional[torch.Tensor] = None):\n"
        f"        y = {expression}\n        return y\n"
    )
    file, about = found(tmp_path, body, at)
    assert [f.fixable for f in findings(RefineOptional(), file, about)] == [False]


def test_a_function_of_the_users_own_may_take_none(tmp_path):
    body = (
        "def scale(x, m):\n    return x if m is None else x * m\n\n\n"
        "class Model(nn.Module):\n    def forward(self, x, m: Optional[torch.Tensor] = None):\n"
        "        return scale(x, m)\n"
    )
    signature = "scale(Tensor x, Tensor m) -> Tensor"
    file, about = found(tmp_path, body, "scale(x, m)\n", "argument-type", callee="scale", signature=signature)
    assert findings(RefineOptional(), file, about) == []


def test_an_elif_has_no_room_before_it(tmp_path):
    body = (
        "class Model(nn.Module):\n    def forward(self, x, m: Optional[torch.Tensor] = None, k: bool = False):\n"
        "        if k:\n            x = x + 1\n        elif (x * m).sum() > 0:\n            x = x * 2\n"
        "        return x\n"
    )
    file, about = found(tmp_path, body, "x * m")
    assert [f.fixable for f in findings(RefineOptional(), file, about)] == [False]


@pytest.mark.parametrize("change", ["self.grow()", "grow(self)", "self.state, y = x, x"])
def test_an_attribute_that_changes_out_of_sight_is_only_asserted(tmp_path, change):
    body = STATE + (
        "    def grow(self):\n        self.reset()\n\n    def reset(self):\n        self.state = torch.ones(1)\n\n"
        f"    def forward(self, x):\n        if self.state is None:\n            {change}\n"
        "        return x + self.state\n"
    )
    file, about = found(tmp_path, body, "x + self.state")
    text = rewritten(RefineOptional(), file, about)
    assert "        if self.state is None:\n" in text
    assert "        state = self.state\n        assert state is not None\n        return x + state\n" in text


@pytest.mark.parametrize("change", ["y = self.fc(x)", "self.fc = nn.Linear(4, 4)", "self.reset()"])
def test_what_holds_the_attribute_changes_it_out_of_sight(tmp_path, change):
    body = (
        "class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.fc = nn.Linear(4, 4)\n\n    def reset(self):\n        self.fc = nn.Linear(4, 4, bias=False)\n\n"
        f"    def forward(self, x):\n        if self.fc.bias is not None:\n            {change}\n"
        "            x = 2 * self.fc.bias\n        return x\n"
    )
    file, about = found(tmp_path, body, "2 * self.fc.bias")
    text = rewritten(RefineOptional(), file, about)
    assert "        if self.fc.bias is not None:\n" in text
    assert "            bias = self.fc.bias\n            assert bias is not None\n            x = 2 * bias\n" in text


@pytest.mark.parametrize(
    "change",
    [
        "self.build(x)",  # of a base in another file
        "self(x)",
        "super().forward(x)",
        "self.__dict__['state'] = x",
        "fill([self])",
        "me = self\n            me.state = x",
        "self.put(x)",
        "self.register_buffer('state', x)",
        "x = x + self.filled",
    ],
)
def test_ways_to_set_an_attribute_out_of_sight(tmp_path, change):
    body = STATE.replace("(nn.Module)", "(Base)") + (
        "    def put(self, x):\n        setattr(self, 'state', x)\n\n"
        "    @property\n    def filled(self):\n        self.state = torch.ones(1)\n        return 1\n\n"
        f"    def forward(self, x):\n        if self.state is None:\n            {change}\n"
        "        return x + self.state\n"
    )
    file, about = found(tmp_path, body, "x + self.state")
    text = rewritten(RefineOptional(), file, about)
    assert "        if self.state is None:\n" in text
    assert "        state = self.state\n        assert state is not None\n        return x + state\n" in text


@pytest.mark.parametrize(
    ("before", "change"),
    [
        ("pass", "self.fc.build(x)"),
        ("pass", "fill(self.fc, x)"),
        ("pass", "fill(x, [self.fc])"),
        ("pass", "fc = self.fc"),
        ("fc = self.fc", "fc.bias = x"),
    ],
)
def test_what_is_called_with_the_holder_may_set_it(tmp_path, before, change):
    body = (
        "class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"        self.fc = nn.Linear(4, 4)\n\n    def forward(self, x):\n        {before}\n"
        f"        if self.fc.bias is None:\n            {change}\n        return 2 * self.fc.bias\n"
    )
    file, about = found(tmp_path, body, "2 * self.fc.bias")
    text = rewritten(RefineOptional(), file, about)
    assert "        if self.fc.bias is None:\n" in text
    assert "        bias = self.fc.bias\n        assert bias is not None\n        return 2 * bias\n" in text
