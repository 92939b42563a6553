"""What a network does, layer call by layer call, read off the running model: the table that the
architecture diagrams are drawn from."""

import copy

import pandas as pd
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

KINDS = {
    "conv2d": "conv",
    "linear": "linear",
    "batch_norm": "batch norm",
    "relu": "relu",
    "max_pool2d": "max pool",
    "avg_pool2d": "average pool",
    "adaptive_avg_pool2d": "average pool",
    "interpolate": "upsample",
    "cat": "concatenate",
    "add": "add",
}


def layers(model: nn.Module, side: int, blocks: tuple[type[nn.Module], ...] = ()) -> pd.DataFrame:
    """One row a layer call, in the order in which `model` computes on a square image of `side` px.

    Nothing is written down twice: the model runs on the meta device, where only shapes flow, and
    every operation reports itself, so the table cannot drift from the code. A module of a class in
    `blocks`, such as Residual, is one row, and what it is made of has none. Columns:

    name, kind  of the module that computes, "fusion.layer6.0", and what it does: one of KINDS, or
        the name of a block's class in lower case
    kernel, stride           px, 0 where there is none
    inputs, outputs          channels
    side                     px of the output map
    parameters               learnable numbers, at the first call; 0 at the later ones, so that the
                             column's sum is the model's size
    call, calls              which call of this module, of how many: filters are shared where calls
        > 1
    site                     1, 2, ... where the output is a supervised site, in order (a ReLU
                             behind the convolution does not count); else 0
    """
    shapes = copy.deepcopy(model).to("meta").eval()
    recorder = _Recorder(shapes, blocks)
    with torch.no_grad(), recorder:
        sites = shapes(torch.empty(1, 3, side, side, device="meta"))
    table = pd.DataFrame([row for row, _, _ in recorder.calls])
    table["calls"] = table.groupby(["name", "kind"]).call.transform("max")
    table["site"] = 0
    for number, site in enumerate(sites, start=1):
        row = recorder.made(site)
        if row is not None and table.kind[row] == "relu":
            row = recorder.made(recorder.calls[row][1])
        if row is not None:
            table.loc[row, "site"] = number
    return table


class _Recorder(TorchFunctionMode):
    """Keeps (row, input, output) of every call while it is entered. The tensors are kept so that
    they can be told apart."""

    def __init__(self, model: nn.Module, blocks: tuple[type[nn.Module], ...]):
        super().__init__()
        self.calls: list[tuple[dict, Tensor, Tensor]] = []
        self._running: list[tuple[str, nn.Module]] = []
        self._blocks, self._inside, self._times = blocks, 0, {}
        for name, module in model.named_modules():
            module.register_forward_pre_hook(
                lambda module, args, name=name: self._enter(name, module)
            )
            module.register_forward_hook(self._leave)

    def made(self, tensor: Tensor) -> int | None:
        """The call whose output `tensor` is; the first of them, as an in-place ReLU hands the same
        tensor on."""
        return next((i for i, (_, _, output) in enumerate(self.calls) if output is tensor), None)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        output = function(*args, **(kwargs or {}))
        kind = KINDS.get(getattr(function, "__name__", ""))
        if kind and not self._inside and torch.is_tensor(output) and output.is_floating_point():
            given = args[0] if kind == "concatenate" else [args[0]]
            name, module = self._running[-1]
            window = getattr(module, "kernel_size", 0), getattr(module, "stride", 0)
            if kind in ("max pool", "average pool"):
                window = args[1:3] or (0,)
            own = name or type(module).__name__, module
            self._keep(own, kind, given, output, window)
        return output

    def _enter(self, name: str, module: nn.Module) -> None:
        self._running.append((name, module))
        self._inside += isinstance(module, self._blocks)

    def _leave(self, module: nn.Module, args: tuple, output) -> None:
        own = self._running.pop()
        if isinstance(module, self._blocks):
            self._inside -= 1
            if not self._inside:
                self._keep(own, type(module).__name__.lower(), args[:1], output)

    def _keep(
        self, own: tuple[str, nn.Module], kind: str, given, output: Tensor, window: tuple = (0,)
    ) -> None:
        """`own` names the module that computes; `window` is its kernel and its stride, if any."""
        (name, module), (kernel, stride) = own, (*window, None)[:2]
        times = self._times[name, kind] = self._times.get((name, kind), 0) + 1
        learnt = module.parameters(recurse=isinstance(module, self._blocks)) if times == 1 else ()
        row = {
            "name": name,
            "kind": kind,
            "kernel": _first(kernel),
            # a pool moves by its own width unless told otherwise
            "stride": _first(kernel if stride is None else stride),
            "inputs": sum(tensor.shape[1] for tensor in given),
            "outputs": output.shape[1],
            "side": output.shape[-1] if output.ndim == 4 else 1,
            "parameters": sum(parameter.numel() for parameter in learnt),
            "call": times,
        }
        self.calls.append((row, given[0], output))


def _first(size: int | tuple[int, ...]) -> int:
    return size if isinstance(size, int) else size[0]
