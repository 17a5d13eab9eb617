"""What torch's operations return. Most return one Tensor: only the others are listed (from torch 2.13's schemas)."""

from __future__ import annotations

from .types import BOOL, DEVICE, FLOAT, INT, TENSOR, UNKNOWN, Type, list_of, tuple_of

_PAIR = tuple_of((TENSOR, TENSOR))
_TENSORS = list_of(TENSOR)

RETURNS: dict[str, Type] = {
    **dict.fromkeys(
        ("allclose", "can_cast", "equal", "is_complex", "is_contiguous", "is_floating_point", "is_grad_enabled",
         "is_inference", "is_leaf", "is_nonzero", "is_pinned", "is_same_size", "is_set_to", "is_signed", "is_tensor",
         "is_coalesced", "is_autocast_enabled", "is_storage"), BOOL),
    **dict.fromkeys(
        ("dim", "ndimension", "nelement", "numel", "element_size", "get_device", "storage_offset", "seed",
         "initial_seed", "sparse_dim", "dense_dim", "__len__", "q_zero_point", "get_num_threads"), INT),
    "q_scale": FLOAT,
    **dict.fromkeys(
        ("broadcast_tensors", "chunk", "dsplit", "hsplit", "vsplit", "meshgrid", "split", "split_with_sizes",
         "tensor_split", "unbind", "unsafe_chunk", "unsafe_split", "gradient", "align_tensors", "split_copy",
         "split_with_sizes_copy", "unbind_copy", "unsafe_split_with_sizes", "unravel_index"), _TENSORS),
    **dict.fromkeys(
        ("aminmax", "cummax", "cummin", "frexp", "kthvalue", "mode", "qr", "slogdet", "sort", "std_mean", "var_mean",
         "topk", "geqrf", "histogram", "triangular_solve", "gru", "lstm_cell", "rnn_relu", "rnn_tanh", "lobpcg",
         "native_dropout", "batch_norm_stats", "max_pool1d_with_indices", "max_pool2d_with_indices",
         "max_pool3d_with_indices", "adaptive_max_pool1d_with_indices", "adaptive_max_pool2d_with_indices",
         "adaptive_max_pool3d_with_indices", "fractional_max_pool2d_with_indices",
         "fractional_max_pool3d_with_indices"), _PAIR),
    **dict.fromkeys(
        ("svd", "lu_unpack", "lstm", "svd_lowrank", "pca_lowrank", "native_batch_norm", "native_group_norm",
         "native_layer_norm"), tuple_of((TENSOR, TENSOR, TENSOR))),
    **dict.fromkeys(("broadcast_shapes", "Size"), list_of(INT)),
    "device": DEVICE,
    # One tensor or several, by the arguments; or nothing that stands for a value.
    **dict.fromkeys(
        ("unique", "unique_consecutive", "lu", "eig", "symeig", "lstsq", "solve", "histogramdd", "while_loop", "cond",
         "atleast_1d", "atleast_2d", "atleast_3d", "dequantize", "quantize_per_tensor", "is_shared", "qscheme",
         "layout", "memory_format", "get_rng_state", "fork", "wait", "output_nr", "names",
         "tolist", "item", "numpy", "apply_", "map_", "stride", "backward", "manual_seed", "save", "load",
         "type", "no_grad", "enable_grad", "set_grad_enabled", "inference_mode", "autocast", "Generator", "compile",
         "finfo", "iinfo", "get_default_dtype", "set_default_dtype", "promote_types", "result_type",
         "set_num_threads", "dtype", "retain_grad", "register_hook", "storage", "untyped_storage", "data_ptr",
         "multi_head_attention_forward", "vmap", "typename", "requires_grad", "has_names", "record_stream",
         "embedding_bag", "sym_float", "sym_int", "sym_max", "sym_min", "sym_not", "sym_sum", "sym_ite"), UNKNOWN),
}  # fmt: skip

# How many arguments of a layer's class leave ``return_indices`` at its default.
_LAYERS_INDEXED = {
    **{f"MaxPool{d}d": 4 for d in (1, 2, 3)},
    **{f"AdaptiveMaxPool{d}d": 1 for d in (1, 2, 3)},
    **{f"FractionalMaxPool{d}d": 3 for d in (2, 3)},
}
_REDUCED = frozenset({"max", "min", "median", "nanmedian"})  # with a dim: values and indices
_VARIANTS = frozenset({"return_indices", "return_inverse", "return_counts", "as_tuple"})  # may ask for more than one
# How many arguments leave ``return_indices`` at its default, by the pooling function.
_POOLS = {
    **{f"max_pool{d}d": 6 for d in (1, 2, 3)},
    **{f"adaptive_max_pool{d}d": 2 for d in (1, 2, 3)},
    **{f"fractional_max_pool{d}d": 4 for d in (2, 3)},
}

# Methods that a tensor has, though an array, an image, a packed sequence or a module may have some of them too.
TENSOR_METHODS = frozenset(
    "size dim view view_as reshape permute transpose contiguous unsqueeze squeeze expand expand_as flatten"
    " mean softmax sigmoid tanh relu matmul bmm mm chunk masked_fill masked_fill_ detach requires_grad_ argmax"
    " argmin new_zeros new_ones new_full new_tensor gather scatter scatter_ scatter_add_ index_select clamp"
    " clamp_ narrow unbind cuda cpu float long half double type_as numel nelement cumsum norm sqrt exp log pow"
    " abs topk item tolist fill_ zero_ add_ mul_ div_ sub_ backward unfold roll flip log_softmax std var any"
    " all sum repeat repeat_interleave nonzero bernoulli_ normal_ uniform_ is_contiguous swapaxes movedim".split()
)  # fmt: skip
DTYPE = Type("torch.dtype")
DTYPES = frozenset(
    "float16 float32 float64 half float double bfloat16 int8 int16 int32 int64 uint8 short int long bool"
    " complex64 complex128".split()
)
# Methods that, of the values a model handles, only a tensor has: no array, image, packed sequence, module, list or str.
ONLY_TENSOR_METHODS = frozenset(
    "size dim view_as permute contiguous unsqueeze expand expand_as softmax log_softmax sigmoid relu tanh matmul bmm mm"
    " chunk masked_fill masked_fill_ detach new_zeros new_ones new_full new_tensor gather scatter scatter_ scatter_add_"
    " index_select clamp clamp_ narrow unbind type_as numel nelement topk fill_ zero_ mul_ div_ sub_ unfold roll flip"
    " repeat_interleave bernoulli_ normal_ uniform_ is_contiguous movedim index_fill index_add baddbmm addmm logsumexp"
    " masked_select rsqrt erf".split()
)
TENSOR_ATTRIBUTES = frozenset("shape device requires_grad is_cuda ndim grad T mT data dtype".split())

_NAMESPACES = ("torch.nn.functional.", "torch.fft.", "torch.special.", "torch.linalg.", "torch.Tensor.")
_SEVERAL = frozenset(
    "torch.linalg." + n
    for n in (
        "eig", "eigh", "qr", "svd", "slogdet", "lu", "lu_factor", "lu_factor_ex", "ldl_factor", "ldl_factor_ex",
        "lstsq", "inv_ex", "cholesky_ex", "solve_ex",
    )
)  # fmt: skip
_NOT_ONE_TENSOR = frozenset(
    "LSTM GRU RNN RNNBase LSTMCell MultiheadAttention ModuleList ModuleDict ParameterList ParameterDict Sequential"
    " AdaptiveLogSoftmaxWithLoss Identity Module DataParallel Parameter Buffer Container".split()
)


def is_operation(origin: str) -> bool:
    """Whether a dotted name is one of torch's functions on tensors (``torch.relu``, ``torch.nn.functional.pad``)."""
    head, _, name = origin.rpartition(".")
    if f"{head}." in _NAMESPACES:
        return True
    return head == "torch" and name[:1].islower()


def one_tensor_layer(origin: str, arguments: int, keywords: frozenset[str]) -> bool:
    """Whether the layer that a call of its class makes (``torch.nn.Linear``) takes one tensor and gives one."""
    head, _, name = origin.rpartition(".")
    if not (head == "torch.nn" or head.startswith("torch.nn.modules.")) or not name[:1].isupper():
        return False
    positional = _LAYERS_INDEXED.get(name)
    return (
        name not in _NOT_ONE_TENSOR
        and _VARIANTS.isdisjoint(keywords)
        and (positional is None or arguments <= positional)
    )


def call_returns(origin: str, arguments: int, keywords: frozenset[str]) -> Type:
    """What a call of one of torch's functions returns; `UNKNOWN` where the arguments' values decide it."""
    if origin in _SEVERAL or not is_operation(origin):
        return list_of(INT) if origin == "torch.Size" else UNKNOWN
    return _returns(origin.rpartition(".")[2], arguments, keywords, first=1)


def method_returns(name: str, arguments: int, keywords: frozenset[str]) -> Type:
    """What a method of a tensor returns, by the number of its arguments (without the tensor)."""
    if name == "size":
        return INT if arguments or "dim" in keywords else list_of(INT)
    return _returns(name, arguments, keywords, first=0)


def _returns(name: str, arguments: int, keywords: frozenset[str], first: int) -> Type:
    if name in _REDUCED:
        if keywords & {"dim", "axis"}:
            return _PAIR
        return TENSOR if arguments == first else UNKNOWN  # max(a, b) is a tensor, max(a, 1) a pair
    if not _VARIANTS.isdisjoint(keywords) or (name == "where" and arguments == first):
        return UNKNOWN
    if arguments > _POOLS.get(name, arguments):
        return UNKNOWN
    return RETURNS.get(name, TENSOR)
