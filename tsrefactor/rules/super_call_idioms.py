"""What the forwards of torch.nn's classes do, written so that a subclass can do it itself (read in torch 2.13)."""

from __future__ import annotations

_POOL = "{0}, self.kernel_size, self.stride, self.padding"
_MAX_POOL = _POOL + ", self.dilation, ceil_mode=self.ceil_mode, return_indices=self.return_indices"
_AVG_POOL = _POOL + ", self.ceil_mode, self.count_include_pad"
_DROPOUT = "{0}, self.p, self.training"
_LOSS = "{0}, {1}, reduction=self.reduction"
_CONV_TRANSPOSE = (
    "{0}, self.weight, self.bias, self.stride, self.padding, self.output_padding, self.groups, self.dilation"
)
_EMBEDDING = "{0}, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse"
_INTERPOLATE = (
    "F.interpolate({0}, self.size, self.scale_factor, self.mode, self.align_corners, "
    "recompute_scale_factor=self.recompute_scale_factor)"
)

IDIOMS: dict[str, str] = {
    **{f"Conv{n}d": "self._conv_forward({0}, self.weight, self.bias)" for n in (1, 2, 3)},
    **{f"ConvTranspose{n}d": f"F.conv_transpose{n}d({_CONV_TRANSPOSE})" for n in (1, 2, 3)},
    **{f"MaxPool{n}d": f"F.max_pool{n}d({_MAX_POOL})" for n in (1, 2, 3)},
    **{f"AvgPool{n}d": f"F.avg_pool{n}d({_AVG_POOL}, self.divisor_override)" for n in (2, 3)},
    **{f"AdaptiveAvgPool{n}d": f"F.adaptive_avg_pool{n}d({{0}}, self.output_size)" for n in (1, 2, 3)},
    **{f"AdaptiveMaxPool{n}d": f"F.adaptive_max_pool{n}d({{0}}, self.output_size, self.return_indices)"
       for n in (1, 2, 3)},
    **{f"Dropout{n}": f"F.dropout{n}({_DROPOUT}, self.inplace)" for n in ("", "1d", "2d", "3d")},
    **{f"ConstantPad{n}d": "F.pad({0}, self.padding, 'constant', self.value)" for n in (1, 2, 3)},
    **{f"ZeroPad{n}d": "F.pad({0}, self.padding, 'constant', self.value)" for n in (1, 2, 3)},
    **{f"ReflectionPad{n}d": "F.pad({0}, self.padding, 'reflect')" for n in (1, 2, 3)},
    **{f"ReplicationPad{n}d": "F.pad({0}, self.padding, 'replicate')" for n in (1, 2, 3)},
    "AvgPool1d": f"F.avg_pool1d({_AVG_POOL})",
    "AlphaDropout": f"F.alpha_dropout({_DROPOUT})",
    "Bilinear": "F.bilinear({0}, {1}, self.weight, self.bias)",
    "BCELoss": "F.binary_cross_entropy({0}, {1}, weight=self.weight, reduction=self.reduction)",
    "BCEWithLogitsLoss":
        "F.binary_cross_entropy_with_logits({0}, {1}, self.weight, pos_weight=self.pos_weight, "
        "reduction=self.reduction)",
    "CELU": "F.celu({0}, self.alpha, self.inplace)",
    "CosineEmbeddingLoss": "F.cosine_embedding_loss({0}, {1}, {2}, margin=self.margin, reduction=self.reduction)",
    "CosineSimilarity": "F.cosine_similarity({0}, {1}, self.dim, self.eps)",
    "CrossEntropyLoss":
        "F.cross_entropy({0}, {1}, weight=self.weight, ignore_index=self.ignore_index, reduction=self.reduction, "
        "label_smoothing=self.label_smoothing)",
    "ELU": "F.elu({0}, self.alpha, self.inplace)",
    "Embedding": f"F.embedding({_EMBEDDING})",
    "Flatten": "{0}.flatten(self.start_dim, self.end_dim)",
    "Fold": "F.fold({0}, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)",
    "GELU": "F.gelu({0}, approximate=self.approximate)",
    "GLU": "F.glu({0}, self.dim)",
    "GroupNorm": "F.group_norm({0}, self.num_groups, self.weight, self.bias, self.eps)",
    "Hardsigmoid": "F.hardsigmoid({0}, self.inplace)",
    "Hardswish": "F.hardswish({0}, self.inplace)",
    "Hardtanh": "F.hardtanh({0}, self.min_val, self.max_val, self.inplace)",
    "HuberLoss": f"F.huber_loss({_LOSS}, delta=self.delta)",
    "Identity": "{0}",
    "KLDivLoss": f"F.kl_div({_LOSS}, log_target=self.log_target)",
    "L1Loss": f"F.l1_loss({_LOSS})",
    "LayerNorm": "F.layer_norm({0}, self.normalized_shape, self.weight, self.bias, self.eps)",
    "LeakyReLU": "F.leaky_relu({0}, self.negative_slope, self.inplace)",
    "Linear": "F.linear({0}, self.weight, self.bias)",
    "LogSoftmax": "F.log_softmax({0}, self.dim)",
    "MarginRankingLoss": "F.margin_ranking_loss({0}, {1}, {2}, margin=self.margin, reduction=self.reduction)",
    "Mish": "F.mish({0}, inplace=self.inplace)",
    "MSELoss": f"F.mse_loss({_LOSS})",
    "NLLLoss": "F.nll_loss({0}, {1}, weight=self.weight, ignore_index=self.ignore_index, reduction=self.reduction)",
    "PairwiseDistance": "F.pairwise_distance({0}, {1}, self.norm, self.eps, self.keepdim)",
    "PixelShuffle": "F.pixel_shuffle({0}, self.upscale_factor)",
    "PReLU": "F.prelu({0}, self.weight)",
    "ReLU": "F.relu({0}, inplace=self.inplace)",
    "ReLU6": "F.hardtanh({0}, self.min_val, self.max_val, self.inplace)",
    "RMSNorm": "F.rms_norm({0}, self.normalized_shape, self.weight, self.eps)",
    "SELU": "F.selu({0}, self.inplace)",
    "Sigmoid": "torch.sigmoid({0})",
    "SiLU": "F.silu({0}, inplace=self.inplace)",
    "SmoothL1Loss": f"F.smooth_l1_loss({_LOSS}, beta=self.beta)",
    "Softmax": "F.softmax({0}, self.dim)",
    "Softplus": "F.softplus({0}, self.beta, self.threshold)",
    "Tanh": "torch.tanh({0})",
    "TripletMarginLoss":
        "F.triplet_margin_loss({0}, {1}, {2}, margin=self.margin, p=self.p, eps=self.eps, swap=self.swap, "
        "reduction=self.reduction)",
    "Unfold": "F.unfold({0}, self.kernel_size, self.dilation, self.padding, self.stride)",
    **dict.fromkeys(("Upsample", "UpsamplingNearest2d", "UpsamplingBilinear2d"), _INTERPOLATE),
}  # fmt: skip
"""Class of torch.nn → what its ``forward`` does, as one expression; ``{0}`` and so on are the arguments."""

BATCH_NORMS = {f"BatchNorm{n}d" for n in (1, 2, 3)}
# What _BatchNorm.forward of torch does, with its buffers and in both modes.
BATCH_NORM_METHOD = """\

def {name}(self, input):
    # torch's own forward: TorchScript cannot reach it by super()
    self._check_input_dim(input)
    average_factor = 0.0 if self.momentum is None else self.momentum
    if self.training and self.track_running_stats:
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                average_factor = 1.0 / float(self.num_batches_tracked)
    keep_stats = not self.training or self.track_running_stats
    return {batch_norm}(
        input,
        self.running_mean if keep_stats else None,
        self.running_var if keep_stats else None,
        self.weight,
        self.bias,
        self.training or (self.running_mean is None and self.running_var is None),
        average_factor,
        self.eps,
    )
"""
