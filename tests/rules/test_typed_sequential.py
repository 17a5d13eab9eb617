"""typed-sequential: what stays as it is."""

from tests.rules.texts import findings, source
from tsrefactor.rules.typed_sequential import TypedSequential


def test_a_file_that_asks_for_the_very_class_is_left_alone(tmp_path):
    rule = TypedSequential()
    text = rule.examples[0].before
    [finding] = findings(rule, source(tmp_path / "model.py", text))
    assert finding.fixable
    asks = "\n\ndef start(m: nn.Module):\n    if type(m) == nn.Sequential:\n        nn.init.ones_(m[0].fc.weight)\n"
    assert findings(rule, source(tmp_path / "asks.py", text + asks)) == []
