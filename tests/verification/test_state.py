import torch
from torch import nn

from tsrefactor.verification.state import ModuleState, modes_of, set_modes


class Stateful(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(2)
        self.register_buffer("table", torch.zeros(2))
        self.cache, self.calls, self.seen, self.by_name = None, 0, [], {}
        self.plain = torch.zeros(2)

    def forward(self, x):
        self.calls += 1
        self.cache = x
        self.seen.append(x)
        self.by_name[self.calls] = x
        self.plain += 1
        self.table = self.table + 1
        self.norm.weight.data.mul_(2)
        self.extra = 1
        return self.norm(x)


def test_restore_puts_everything_back_in_place():
    module = Stateful()
    table, weight, seen, plain = module.table, module.norm.weight, module.seen, module.plain
    state = ModuleState(module)
    module(torch.rand(3, 2))
    module.eval()
    assert module.norm.running_mean.any() and len(seen) == 1
    state.restore()
    assert module.training and module.norm.training
    assert module.table is table and module.norm.weight is weight and module.seen is seen and module.plain is plain
    assert (module.calls, module.cache, module.seen, module.by_name) == (0, None, [], {})
    assert not hasattr(module, "extra")
    assert not module.norm.running_mean.any() and module.norm.num_batches_tracked == 0
    assert torch.equal(weight, torch.ones(2)) and not plain.any()


def test_changed_tells_a_stateless_call_from_others():
    module = Stateful()
    state = ModuleState(module)
    assert not state.changed()
    module.norm.eval()(torch.rand(3, 2))
    module.norm.train()
    assert not state.changed()
    for change in (
        lambda: setattr(module, "calls", 1),
        lambda: module.seen.append(1),
        lambda: module.by_name.update(a=1),
        lambda: module.norm.running_mean.add_(1),
        lambda: setattr(module, "table", torch.zeros(2)),
        lambda: module.norm.weight.data.mul_(2),
    ):
        change()
        assert state.changed()
        state.restore()
        assert not state.changed()


def test_what_was_rebound_is_named():
    module = Stateful()
    state = ModuleState(module)
    module.norm.weight.data.mul_(2)
    assert state.rebound() == set()
    module.calls, module.table, module.norm.extra = 1, torch.zeros(2), 2
    module.seen.append(1)
    assert state.rebound() == {"calls", "table", "extra", "seen"}


def test_a_resized_buffer_gets_its_size_back():
    module = Stateful()
    state = ModuleState(module)
    module.table.resize_(5)
    state.restore()
    assert module.table.tolist() == [0, 0]


def test_buffers_are_read_as_they_are_now():
    module = Stateful()
    state = ModuleState(module)
    module(torch.rand(3, 2))
    assert {leaf.path: leaf.value for leaf in state.buffers()}["['table']"].tolist() == [1, 1]


def test_modes_of_a_module_under_two_names():
    norm = nn.BatchNorm1d(2)
    model = nn.Sequential(norm, nn.Sequential(norm))
    assert modes_of(model.eval()) == dict.fromkeys(("", "0", "1", "1.0"), False)


def test_modes_are_copied_module_by_module():
    frozen, other = Stateful(), Stateful()
    frozen.norm.eval()
    set_modes(other, modes_of(frozen))
    assert other.training and not other.norm.training
