"""missing-attribute: where the guard goes, and where there is none."""

import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.facts.observations import ClassObservations, FunctionObservations, Observations
from tsrefactor.rules.missing_attribute import MissingAttribute

RULE = MissingAttribute()
GUARD = "if not hasattr(self, 'p'):"


def model(body: str, cls: str = "") -> str:
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    return f"import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n{cls}    def forward(self, x):\n{lines}"


def prepared(tmp_path, text, at="self.p", attribute="p", chain=()):
    file = source(tmp_path / "model.py", text)
    return file, diagnosis(file, "missing-attribute", at, chain, module="Model", attribute=attribute)


def made(tmp_path, body, **kwargs):
    file, told = prepared(tmp_path, model(body), **kwargs)
    return rewritten(RULE, file, told)


def refusal(tmp_path, text, observations=None, **kwargs):
    file, told = prepared(tmp_path, text, **kwargs)
    found = findings(RULE, file, told, observations=observations)
    assert [(f.fixable, f.answers) for f in found] == [(False, told)]
    return found[0].message


def test_silent_without_a_diagnosis(tmp_path):
    file, _ = prepared(tmp_path, model("if self.flag:\n    x = self.p(x)\nreturn x"))
    assert findings(RULE, file) == []


def test_in_an_else_branch(tmp_path):
    after = made(tmp_path, "if self.flag:\n    y = x\nelse:\n    y = self.p(x)\nreturn y")
    assert (
        f"        else:\n            {GUARD}\n                raise AttributeError('p')\n            y = self.p(x)"
        in after
    )


def test_below_what_may_leave_the_branch(tmp_path):
    body = "if self.flag:\n    if x.dim() == 1:\n        return x\n    x = self.p(x)\nreturn x"
    assert f"return x\n            {GUARD}" in made(tmp_path, body)


def test_hot_lines_of_forward_stay_above(tmp_path):
    assert f"x = x + 1\n        {GUARD}" in made(tmp_path, "x = x + 1\nreturn self.p(x)")


def test_before_a_loop_over_the_attribute(tmp_path):
    body = "if self.flag:\n    for layer in self.p:\n        x = layer(x)\nreturn x"
    assert f"            {GUARD}\n                raise AttributeError('p')\n            for layer in self.p:" in made(
        tmp_path, body
    )


def test_attribute_of_a_child(tmp_path):
    body = "if self.flag:\n    x = self.child.p(x)\nreturn x"
    after = made(tmp_path, body, at="self.child.p")
    assert "if not hasattr(self.child, 'p'):\n                raise AttributeError('p')" in after


def test_comment_of_the_statement_stays_with_it(tmp_path):
    after = made(tmp_path, "if self.flag:\n    # project\n    x = self.p(x)  # here\nreturn x")
    assert "raise AttributeError('p')\n            # project\n            x = self.p(x)  # here\n" in after


def test_returned_choice_becomes_a_statement(tmp_path):
    after = made(tmp_path, "return x if self.flag else self.p(x)")
    assert after.endswith(
        "        if self.flag:\n            return x\n        else:\n"
        f"            {GUARD}\n                raise AttributeError('p')\n            return self.p(x)\n"
    )


def test_condition_keeps_its_other_part(tmp_path):
    after = made(tmp_path, "if self.flag and x.dim() > self.p:\n    x = x + 1\nreturn x")
    assert "if self.flag and (x.dim() > self.p if hasattr(self, 'p') else False):" in after


@pytest.mark.parametrize(
    "body",
    [
        "y = [a for a in (self.p(x) if self.flag else x, x)]\nreturn y",
        "if self.flag:\n    y = x\nelif self.p > 2:\n    y = x\nreturn x",
        "return self.flag or self.p(x)",
    ],
)
def test_places_that_are_not_always_evaluated_are_left_alone(tmp_path, body):
    assert "not always evaluated" in refusal(tmp_path, model(body))


def test_class_attribute_is_left_alone(tmp_path):
    text = model("return x + self.p", cls="    p = 1e-5\n\n")
    assert "attribute of the class" in refusal(tmp_path, text)


def test_property_is_left_alone(tmp_path):
    text = model("return x + self.p", cls="    @property\n    def p(self):\n        return 3\n\n")
    assert "method or property" in refusal(tmp_path, text)


def test_modules_dictionary_is_left_alone(tmp_path):
    text = model("return self._modules['a'](x)")
    assert "own dictionaries" in refusal(tmp_path, text, at="self._modules", attribute="_modules")


@pytest.mark.parametrize("absent", [True, False])
def test_reached_statement_is_left_alone_unless_other_instances_reached_it(tmp_path, absent):
    file, told = prepared(tmp_path, model("if self.flag:\n    x = self.p(x)\nreturn x"))
    path = str(file.path)
    seen = FunctionObservations(path, "Model.forward", 6, calls=1, scripted=True, lines={7, 8, 9})
    cls = ClassObservations(path, "Model", 2, absent={"p"} if absent else set())
    observations = Observations({(path, "Model.forward", 6): seen}, {(path, "Model"): cls})
    found = findings(RULE, file, told, observations=observations)
    assert [f.fixable for f in found] == [absent]


def test_cold_method_is_guarded_where_it_is_called(tmp_path):
    text = (
        model("if self.flag:\n    return self.cold(x)\nreturn x")
        + "\n    def cold(self, x):\n        return self.p(x)\n"
    )
    file, told = prepared(tmp_path, text, chain=("self.cold(x)",))
    assert f"        if self.flag:\n            {GUARD}" in rewritten(RULE, file, told)
