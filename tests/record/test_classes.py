"""What instances of the user's classes hold."""

import torch

from tsrefactor.record.classes import classes_of

SOURCE = """
    import torch
    from torch import nn

    class Base(nn.Module):
        def forward(self, x):
            return x

    class Block(Base):
        def __init__(self, down):
            super().__init__()
            self.sizes, self.scale, self.cache = [1, 2], 0.5, []
            self.register_parameter("bias", nn.Parameter(torch.ones(1)) if down else None)
            self.register_buffer("seen", torch.zeros(1))
            self.down = nn.Conv2d(1, 1, 1) if down else None
            if down:
                self.extra = 1

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([Block(True), Block(False), Block(False)])
            self.act = nn.ReLU()
            self.act = None
            self.tied = self.layers[0]
"""


def seen_of(module, tmp_path):
    observed = classes_of(module, [str(tmp_path)])
    return {cls.qualname: cls for cls in observed.classes.values()}


def test_attributes_are_joined_over_instances(make_module, tmp_path):
    seen = seen_of(make_module(SOURCE).Net(), tmp_path)
    assert set(seen) == {"Net", "Block"}
    block = seen["Block"]
    assert block.instances == 3
    assert block.mro == ("observed.Block", "observed.Base", "torch.nn.modules.module.Module")
    assert {name: str(type_) for name, type_ in block.attributes.items()} == {
        "sizes": "List[int]", "scale": "float", "cache": "List[?]", "bias": "Optional[Tensor]", "seen": "Tensor",
        "down": "None", "extra": "int",
    }  # fmt: skip
    assert block.children == {"down": {"torch.nn.modules.conv.Conv2d"}}
    assert "extra" in block.absent
    assert "bias" not in block.absent
    assert seen["Net"].children == {
        "layers": {"torch.nn.modules.container.ModuleList"}, "act": {"None"}, "tied": {"observed.Block"},
    }  # fmt: skip


def test_a_class_made_on_the_fly_counts_for_the_users_base(make_module, tmp_path):
    module = make_module("""
        from torch import nn

        class Mine(nn.Linear):
            pass
    """)
    mine = module.Mine(2, 2)
    torch.nn.utils.parametrize.register_parametrization(mine, "weight", torch.nn.Identity())
    assert type(mine) is not module.Mine
    seen = seen_of(mine, tmp_path)["Mine"]
    assert seen.mro == ("observed.Mine", "torch.nn.modules.linear.Linear", "torch.nn.modules.module.Module")
    assert str(seen.attributes["in_features"]) == "int"


def test_modules_of_others_have_no_record(tmp_path):
    assert seen_of(torch.nn.Sequential(torch.nn.Linear(1, 1)), tmp_path) == {}
