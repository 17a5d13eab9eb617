"""format-in-message: what it leaves alone."""

import pytest

from tests.rules.texts import findings, source
from tsrefactor.rules.format_in_message import FormatInMessage


@pytest.mark.parametrize(
    ("statement", "count"),
    [
        ("raise ValueError(f'{x:2}')", 1),
        ("raise ValueError(f'{x}')", 0),
        ("raise ValueError('a' f'{x:2}')", 0),
        ("raise ValueError(f'{x:2}' 'a')", 0),
        ("raise ValueError(f'{x:{y}}')", 0),
        ("raise ValueError(f'''{x:2}''')", 0),
        ("raise ValueError(rf'{x:2}')", 0),
        ("raise ValueError(f'\\n{x:2}')", 0),
        ("assert f'{x:2}', 'a'", 0),
        ("print(f'{x:2}')", 1),
        ("print(f'{x}')", 0),
        ("y = f'{x:2}'", 0),
    ],
)
def test_which_strings(statement, count, tmp_path):
    text = f"import torch\n\n\nclass Model(torch.nn.Module):\n    def forward(self, x, y):\n        {statement}\n"
    assert len(findings(FormatInMessage(), source(tmp_path / "model.py", text))) == count
