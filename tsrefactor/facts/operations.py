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
         "tensor_split", "unbind", "unsafe_chunk", "unsafe_split", "gradient"), _TENSORS),
    **dict.fromkeys(
        ("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"), TENSOR),  # without return_indices
    **dict.fromkeys(
        ("aminmax", "cummax", "cummin", "frexp", "kthvalue", "mode", "qr", "slogdet", "sort", "std_mean", "var_mean",
         "topk", "geqrf", "histogram", "triangular_solve"), _PAIR),
    **dict.fromkeys(("svd", "unique_consecutive", "lu_unpack"), tuple_of((TENSOR, TENSOR, TENSOR))),
    **dict.fromkeys(("broadcast_shapes", "Size"), list_of(INT)),
    "device": DEVICE,
    # One tensor or several, by the arguments; or nothing that stands for a value.
    **dict.fromkeys(
        ("unique", "tolist", "item", "numpy", "apply_", "map_", "stride", "backward", "manual_seed", "save", "load",
         "type", "no_grad", "enable_grad", "set_grad_enabled", "inference_mode", "autocast", "Generator", "compile",
         "finfo", "iinfo", "get_default_dtype", "set_default_dtype", "promote_types", "result_type",
         "set_num_threads", "dtype", "retain_grad", "register_hook", "storage", "untyped_storage", "data_ptr",
         "multi_head_attention_forward", "vmap", "typename", "requires_grad", "has_names", "record_stream",
         "embedding_bag"), UNKNOWN),
}  # fmt: skip

_REDUCED = frozenset({"max", "min", "median", "nanmedian"})  # with a dim: values and indices
_INDEXED = "return_indices"

# Methods that, of the values a model handles, only a tensor has.
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
TENSOR_ATTRIBUTES = frozenset("shape device requires_grad is_cuda ndim grad T mT data dtype".split())

_NAMESPACES = ("torch.nn.functional.", "torch.fft.", "torch.special.", "torch.linalg.", "torch.Tensor.")
_SEVERAL = frozenset(
    "torch.linalg." + n
    for n in ("eig", "eigh", "qr", "svd", "slogdet", "lu", "lu_factor", "lstsq", "inv_ex", "cholesky_ex")
)


def is_operation(origin: str) -> bool:
    """Whether a dotted name is one of torch's functions on tensors (``torch.relu``, ``torch.nn.functional.pad``)."""
    if origin.startswith(_NAMESPACES):
        return True
    head, _, name = origin.rpartition(".")
    return head == "torch" and name[:1].islower()


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
        if "dim" in keywords:
            return _PAIR
        return TENSOR if arguments == first else UNKNOWN  # max(a, b) is a tensor, max(a, 1) a pair
    if (
        _INDEXED in keywords
        or (name == "where" and arguments == first)
        or "return_inverse" in keywords
        or "return_counts" in keywords
    ):
        return UNKNOWN
    return RETURNS.get(name, TENSOR)
