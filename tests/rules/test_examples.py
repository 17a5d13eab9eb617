"""Every example of every rule, against the real TorchScript compiler."""

import pytest
import torch

from tests.rules.proof import prove
from tsrefactor.rules import all_rules

EXAMPLES = [
    pytest.param(rule, example, id=f"{rule.name}-{n}")
    for rule in all_rules()
    for n, example in enumerate(rule.examples, 1)
]


@pytest.mark.parametrize(("rule", "example"), EXAMPLES)
def test_example(rule, example, tmp_path):
    torch.set_num_threads(1)
    prove(rule, example, tmp_path)


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.name)
def test_rule_is_explained_and_has_examples(rule):
    assert rule.examples
    assert rule.targets
    assert len(rule.summary()) < 120
    assert "Source:" in type(rule).__doc__
