"""Further examples of super-call."""

from tsrefactor.rules import Example
from tsrefactor.vocabulary import Target

MORE = {
    "functional imported": Example(
        before="""\
import torch
from torch import nn
import torch.nn.functional as F


class Model(nn.Linear):
    def forward(self, x):
        x = super(Model, self).forward(x)  # project
        return F.relu(x)
""",
        after="""\
import torch
from torch import nn
import torch.nn.functional as F


class Model(nn.Linear):
    def forward(self, x):
        x = F.linear(x, self.weight, self.bias)  # project
        return F.relu(x)
""",
        inputs="[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
        model="Model(4, 5)",
        breaks=Target.SCRIPT,
        error="Python type cannot be used as a value",
    ),
    "two children, one names the parent": Example(
        before="""\
import torch
from torch import nn


class GraphConv(nn.Module):
    '''One hop.'''

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x, adj):
        # mix the features, then the nodes
        x = self.fc(x)
        return torch.matmul(adj, x)


class Residual(GraphConv):
    def forward(self, x, adj):
        return x + super().forward(x, adj)


class Gated(GraphConv):
    def forward(self, x, adj):
        return x * torch.sigmoid(GraphConv.forward(self, x, adj))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = GraphConv(), Residual(), Gated()

    def forward(self, x, adj):
        return self.c(self.b(self.a(x, adj), adj), adj)
""",
        after="""\
import torch
from torch import nn


class GraphConv(nn.Module):
    '''One hop.'''

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def _forward_impl(self, x, adj):
        # mix the features, then the nodes
        x = self.fc(x)
        return torch.matmul(adj, x)

    def forward(self, x, adj):
        return self._forward_impl(x, adj)


class Residual(GraphConv):
    def forward(self, x, adj):
        return x + self._forward_impl(x, adj)


class Gated(GraphConv):
    def forward(self, x, adj):
        return x * torch.sigmoid(self._forward_impl(x, adj))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = GraphConv(), Residual(), Gated()

    def forward(self, x, adj):
        return self.c(self.b(self.a(x, adj), adj), adj)
""",
        inputs="[(torch.rand(3, 4), torch.rand(3, 3)), (torch.rand(5, 4), torch.rand(5, 5))]",
        breaks=Target.SCRIPT,
        error="has no attribute or method 'forward'",
    ),
    "chain of parents": Example(
        before="""\
import torch
from torch import nn


class Encoder(nn.Linear):
    def forward(self, x):
        return super().forward(x).relu()


class DeepEncoder(Encoder):
    def forward(self, x):
        return super().forward(x) + 1


class Model(DeepEncoder):
    def forward(self, x):
        return super().forward(x) * 2
""",
        after="""\
import torch
from torch import nn


class Encoder(nn.Linear):
    def _encoder_forward(self, x):
        return nn.functional.linear(x, self.weight, self.bias).relu()

    def forward(self, x):
        return self._encoder_forward(x)


class DeepEncoder(Encoder):
    def _forward_impl(self, x):
        return self._encoder_forward(x) + 1

    def forward(self, x):
        return self._forward_impl(x)


class Model(DeepEncoder):
    def forward(self, x):
        return self._forward_impl(x) * 2
""",
        inputs="[(torch.rand(2, 4),)]",
        model="Model(4, 4)",
        breaks=Target.SCRIPT,
        error="has no attribute or method 'forward'",
    ),
    "batch norm": Example(
        before="""\
import torch
from torch import nn


class Model(nn.BatchNorm2d):
    def forward(self, x):
        return super().forward(x) + 0.5
""",
        after="""\
import torch
from torch import nn


class Model(nn.BatchNorm2d):
    def forward(self, x):
        return self._batch_norm(x) + 0.5

    def _batch_norm(self, input):
        # torch's own forward: TorchScript cannot reach it by super()
        self._check_input_dim(input)
        average_factor = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats:
            if self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)
                if self.momentum is None:
                    average_factor = 1.0 / float(self.num_batches_tracked)
        keep_stats = not self.training or self.track_running_stats
        return nn.functional.batch_norm(
            input,
            self.running_mean if keep_stats else None,
            self.running_var if keep_stats else None,
            self.weight,
            self.bias,
            self.training or (self.running_mean is None and self.running_var is None),
            average_factor,
            self.eps,
        )
""",
        inputs="[(torch.rand(2, 3, 4, 4),), (torch.rand(1, 3, 5, 4),)]",
        model="Model(3)",
        breaks=Target.SCRIPT,
        error="has no attribute or method 'forward'",
    ),
}
