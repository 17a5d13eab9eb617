"""The loop and the batch on small zoos, in real workers."""

import textwrap

import pytest

from tsrefactor.commands.casereports import case_report
from tsrefactor.migration.batch import Watcher, migrate_all
from tsrefactor.migration.project import Options
from tsrefactor.rules import select_rules
from tsrefactor.source.document import Document
from tsrefactor.source.edits import InsertBefore
from tsrefactor.source.file import SourceFile
from tsrefactor.vocabulary import Status, Target
from tsrefactor.workers.pool import Workers
from tsrefactor.workers.spec import parse_spec

ZOO = """
import torch
from tsrefactor import Inputs, ModelCase


def case(name, cls, *inputs):
    def build():
        import nets
        return getattr(nets, cls)().eval()
    return ModelCase(name, build, lambda: [Inputs(*i) if isinstance(i, tuple) else Inputs(i) for i in inputs])


def cases():
    x = torch.linspace(-1, 1, 12).reshape(3, 4)
"""


@pytest.fixture
def migrated(tmp_path, monkeypatch):
    """Migrates NETS with the cases of a zoo; returns name → case, and the new text."""

    def run(nets, cases, target=Target.SCRIPT, rules=None, seconds=60.0):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "nets.py").write_text("import torch\nfrom torch import nn\n" + textwrap.dedent(nets))
        (tmp_path / "zoo.py").write_text(ZOO + textwrap.indent(textwrap.dedent(cases), "    "))
        options = Options(select_rules(rules), (tmp_path,), target=target, seconds=seconds)
        with Workers(parse_spec("zoo.py"), 2) as workers:
            batch = migrate_all(workers, workers.case_names(), options, 2, Watcher())
        text = (tmp_path / "nets.py").read_text()
        assert list(batch.documents) in ([], [str((tmp_path / "nets.py").resolve())])
        return {c.name: c for c in batch.cases}, next((d.text for d in batch.documents.values()), text)

    return run


def test_types_of_all_cases_that_share_a_function_are_joined(migrated):
    cases, text = migrated(
        """
        def scale(x, by=2):
            return x * by

        class A(nn.Module):
            def forward(self, x):
                return scale(x)

        class B(nn.Module):
            def forward(self, x):
                return scale(x, 0.5)
        """,
        "yield case('a', 'A', x)\nyield case('b', 'B', x)\n",
    )
    assert {n: c.status for n, c in cases.items()} == {"a": Status.MIGRATED, "b": Status.MIGRATED}
    assert "def scale(x, by: Union[int, float] = 2)" in text or "def scale(x, by: Union[float, int] = 2)" in text


def test_only_what_the_proof_needs_is_kept(migrated):
    cases, text = migrated(
        """
        class A(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])

            def forward(self, x, n=1):
                out = []
                for layer in self.layers:
                    out.append(layer(x))
                return torch.stack(out) * n
        """,
        "yield case('a', 'A', x)\n",
    )
    assert cases["a"].status is Status.MIGRATED
    assert [a.finding.rule for a in cases["a"].needs] == ["annotate-types"]
    assert "n: int = 1" in text


def test_a_case_that_cannot_be_mended_leaves_no_edit(migrated):
    cases, text = migrated(
        """
        class A(nn.Module):
            def forward(self, x, n=1):
                return (lambda y: y + n)(x)
        """,
        "yield case('a', 'A', x)\n",
    )
    assert cases["a"].status is Status.FAILED
    assert "n=1" in text


def test_a_failed_case_lists_no_edit_of_the_code_that_it_shares(migrated):
    cases, text = migrated(
        """
        def scale(x, by=2):
            return x * by

        class A(nn.Module):
            def forward(self, x):
                return scale(x, 3)

        class B(nn.Module):
            def forward(self, x):
                return (lambda y: scale(y, 3))(x)
        """,
        "yield case('a', 'A', x)\nyield case('b', 'B', x)\n",
        rules=["annotate-types"],
    )
    assert {n: c.status for n, c in cases.items()} == {"a": Status.MIGRATED, "b": Status.FAILED}
    assert "by: int = 2" in text
    assert len(cases["a"].needs) == 1 and cases["b"].needs == []
    assert cases["b"].notes == ["it runs code that was edited for a"]


def test_a_passing_case_is_untouched_and_one_that_does_not_run_is_an_error(migrated):
    cases, _ = migrated(
        """
        class A(nn.Module):
            def forward(self, x):
                return x + 1

        class B(nn.Module):
            def forward(self, x):
                return x + self.missing
        """,
        "yield case('a', 'A', x)\nyield case('b', 'B', x)\n",
    )
    assert cases["a"].status is Status.ALREADY
    assert cases["b"].status is Status.ERROR
    assert "missing" in cases["b"].before.verdicts["script"].message


def test_an_optional_tensor_is_annotated_though_the_proof_passes_without_it(migrated):
    cases, text = migrated(
        """
        class A(nn.Module):
            def forward(self, x, mask=None, n=2):
                if mask is not None:
                    x = x * mask
                return x * n
        """,
        "yield case('a', 'A', x)\n",
    )
    assert cases["a"].status is Status.MIGRATED
    assert "mask: Optional[torch.Tensor] = None" in text


def test_a_baked_trace_is_mended_and_holds_on_other_sizes(migrated):
    cases, text = migrated(
        """
        class A(nn.Module):
            def forward(self, x):
                return x.sum() + torch.arange(len(x))
        """,
        "yield case('a', 'A', x, x[:2])\n",
        target=Target.TRACE,
    )
    assert cases["a"].before.verdicts["trace"].outcome.value == "baked"
    assert cases["a"].status is Status.MIGRATED
    assert "torch.arange(x.shape[0])" in text


def test_one_input_is_enough_to_find_and_mend_a_baked_length(migrated):
    cases, text = migrated(
        """
        class A(nn.Module):
            def forward(self, x):
                return x.relu().sum() + torch.arange(len(x))
        """,
        "yield case('a', 'A', x)\n",
        target=Target.TRACE,
    )
    assert cases["a"].status is Status.MIGRATED
    assert "torch.arange(x.shape[0])" in text


def test_edits_stay_where_only_far_fetched_inputs_prove_the_trace_wrong(migrated):
    nets = """
        class A(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm = nn.BatchNorm1d(4)

            def forward(self, x):
                if len(x) == 0:
                    return torch.ones(())
                return self.norm(x).mean() * torch.arange(len(x)).float().mean()
        """
    cases, text = migrated(nets, "yield case('a', 'A', x)\n", target=Target.TRACE)
    assert cases["a"].status is Status.FAILED
    assert cases["a"].after.verdicts["trace"].outcome.value == "baked"
    assert "torch.arange(x.shape[0])" in text and cases["a"].needs == cases["a"].changes != []
    nets = nets.replace("if len(x) == 0:", "for _ in range(len(x)):").replace(
        "return torch.ones(())", "x = self.norm(x) + 1"
    )
    cases, text = migrated(nets, "yield case('a', 'A', x)\n", target=Target.TRACE)
    assert cases["a"].status is Status.FAILED and "torch.arange(len(x))" in text


def test_an_edit_that_only_generated_inputs_need_is_kept(migrated):
    cases, text = migrated(
        """
        class A(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm = nn.BatchNorm1d(4)

            def forward(self, x):
                if x.sum() < 0:
                    return torch.ones(())
                return self.norm(x).mean() * torch.arange(len(x)).float().mean()
        """,
        "yield case('a', 'A', x + 2, x - 2)\n",
        target=Target.TRACE,
    )
    assert cases["a"].status is Status.MIGRATED and "torch.arange(x.shape[0])" in text


def test_a_sum_over_rows_that_starts_as_a_number_follows_them(migrated):
    cases, text = migrated(
        """
        class A(nn.Module):
            def forward(self, x):
                loss = 0
                for i in range(x.size(0)):
                    loss += x[i].pow(2).mean()
                return loss / x.size(0)
        """,
        "yield case('a', 'A', x)\n",
        target=Target.TRACE,
    )
    assert cases["a"].status is Status.MIGRATED
    assert "loss = torch.tensor(0)" in text and "def _update_loss(x, loss):" in text


@pytest.mark.parametrize(("more", "column"), [("", 0), ("*_, rows = [x.shape[0]]", 8)])
def test_a_helper_for_a_trace_leaves_a_model_that_scripts_scripting(migrated, more, column):
    cases, text = migrated(
        f"""
        class A(nn.Module):
            def forward(self, x):
                {more}
                while x.sum() > 3:
                    x = x / 2
                return x
        """,
        "yield case('a', 'A', x + 2, x - 2)\n",
        target=Target.TRACE,
    )
    assert cases["a"].status is Status.MIGRATED
    assert [line.index("def") for line in text.splitlines() if "def _update_x(x):" in line] == [column]


def test_what_keeps_a_helper_of_a_trace_from_compiling_is_mended(migrated):
    cases, text = migrated(
        """
        class A(nn.Module):
            def pad(self, x, value=0):
                if x.sum() > 0:
                    x = nn.functional.pad(x, [1, 1], value=value)
                return x

            def forward(self, x):
                return self.pad(x)
        """,
        "yield case('a', 'A', x + 2, x - 2)\n",
        target=Target.TRACE,
    )
    assert cases["a"].status is Status.MIGRATED
    assert [a.finding.rule for a in cases["a"].changes] == ["soft-refactor", "coerce-float"]
    assert "def _update_x(x, value: int):" in text and "value=float(value)" in text


def test_a_rule_for_traces_too_still_mends_what_a_helper_holds(migrated):
    cases, text = migrated(
        """
        class A(nn.Module):
            def forward(self, x):
                while x.norm(p='fro') > 3:
                    x = x / 2
                return x
        """,
        "yield case('a', 'A', x * 9, x)\n",
        target=Target.TRACE,
    )
    assert cases["a"].status is Status.MIGRATED and "while x.norm() > 3:" in text


def test_a_script_that_is_wrong_in_the_other_mode_only_is_no_pass(migrated):
    cases, _ = migrated(
        """
        class Wrap(nn.Module):
            def __init__(self, scale=None):
                super().__init__()
                self.inner = nn.Linear(4, 4)

            def forward(self, x, scale=None):
                if scale is None:
                    return self.inner(x)
                return self.inner(x) * 0

        class A(nn.Module):
            def __init__(self):
                super().__init__()
                self.wrap = Wrap()

            def forward(self, x):
                if self.training:
                    return self.wrap(x)
                return x + 1
        """,
        "yield case('a', 'A', x)\n",
        rules=["len-to-shape"],
    )
    assert cases["a"].status is Status.FAILED


def test_a_rule_that_raises_does_not_stop_the_batch(migrated, monkeypatch):
    from tsrefactor.rules.super_call import SuperCall

    def broken(self, file, settings):
        raise RecursionError("too deep")

    monkeypatch.setattr(SuperCall, "findings", broken)
    cases, _ = migrated(
        """
        class A(nn.Module):
            def forward(self, x, n=2):
                return x * n
        """,
        "yield case('a', 'A', x)\n",
    )
    assert cases["a"].status is Status.MIGRATED
    assert any("internal error: super-call" in note for note in cases["a"].notes)


@pytest.mark.parametrize("then", ["os.abort()", "time.sleep(600)"])
def test_an_attempt_that_ends_the_compiler_is_backed_out_and_the_loop_goes_on(migrated, monkeypatch, then):
    from tsrefactor.rules.super_call import SuperCall

    def deadly(self, file, settings):
        for function in file.functions:
            if function.name == "forward" and "deadly" not in file.source.text:
                yield self.finding(function.node, "", InsertBefore(function.node.body[0], "'deadly'"))

    monkeypatch.setattr(SuperCall, "findings", deadly)
    monkeypatch.setattr(SuperCall, "needs_diagnosis", False)
    cases, text = migrated(
        f"""
        import os, time

        class A(nn.Module):
            def forward(self, x, n=2):
                return x * n

            def __prepare_scriptable__(self):
                if type(self).forward.__doc__ is not None:
                    {then}
                return self
        """,
        "yield case('a', 'A', x)\n",
        seconds=12.0,
    )
    assert cases["a"].status is Status.MIGRATED
    assert "x, n: int = 2" in text and "deadly" not in text


def test_target_any_is_content_with_a_trace(migrated):
    cases, _ = migrated(
        """
        class A(nn.Module):
            def forward(self, x):
                y = (lambda z: z + 1)(x)
                return y + torch.arange(len(x)).sum()
        """,
        "yield case('a', 'A', x, x[:2])\n",
        target=Target.ANY,
    )
    assert cases["a"].status is Status.MIGRATED
    assert cases["a"].after.passed_as == "trace"


def test_a_branch_that_no_run_reached_may_raise_and_the_case_is_partial(migrated):
    cases, text = migrated(
        """
        class A(nn.Module):
            def __init__(self):
                super().__init__()
                self.name = 'relu'

            def forward(self, x):
                if self.name == 'relu':
                    return torch.relu(x)
                return getattr(torch, self.name)(x)
        """,
        "yield case('a', 'A', x)\n",
        rules=["cold-branch"],
    )
    a = cases["a"]
    assert (a.status, a.passes) == (Status.PARTIAL, True)
    assert "raise RuntimeError(\"A.forward does not support `self.name != 'relu'` under TorchScript\")" in text
    [change] = a.changes
    report = case_report(a, {change.file: Document(SourceFile.read(change.file))})
    assert [place.line for place in report.raises_at] == [12]
    assert [(edit.rule, edit.verified) for edit in report.edits] == [("cold-branch", False)]


def test_a_case_is_diagnosed_on_the_text_that_earlier_cases_left(migrated):
    cases, text = migrated(
        """
        class A(nn.Module):
            def forward(self, x, mask=None):
                return x if mask is None else x * mask

        class B(nn.Module):
            def __init__(self):
                super().__init__()
                self.aux = False

            def forward(self, x):
                if self.aux:
                    return x, x
                return x
        """,
        "yield case('a', 'A', x)\nyield case('b', 'B', x)\n",
    )
    assert {n: c.status for n, c in cases.items()} == {"a": Status.MIGRATED, "b": Status.MIGRATED}
    assert "aux: Final[bool]" in text


def test_none_that_ran_as_a_tensor_is_told_though_the_code_then_does_not_compile_at_once(migrated):
    cases, text = migrated(
        """
        class A(nn.Module):
            def double(self, y):
                if y.dim() > 1:
                    return y * 2
                return y

            def forward(self, x, y=None):
                z = None
                if y is not None:
                    z = self.double(y)
                if z is not None:
                    x = x + z
                return x
        """,
        "yield case('a', 'A', x)\n",
    )
    assert cases["a"].status is Status.MIGRATED
    assert "y: Optional[torch.Tensor] = None" in text
    assert "z: Optional[torch.Tensor] = None" in text


def test_where_other_inputs_do_not_end_what_was_proven_of_the_own_stands(migrated):
    cases, text = migrated(
        """
        import time

        class A(nn.Module):
            @torch.jit.unused
            def wait(self) -> None:
                time.sleep(600)

            def forward(self, x):
                if self.training:
                    self.wait()
                return x + x.nelement()
        """,
        "yield case('a', 'A', x)\n",
        seconds=3.0,
    )
    assert cases["a"].status is Status.MIGRATED and "x + x.numel()" in text
    assert any(note.startswith("only its own inputs were compared") for note in cases["a"].notes)
