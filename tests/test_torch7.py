"""Torch7 files: a writer of Lua's format; the graphs that the authors' hg.lua makes, written with
it and executed here node by node; and the same heatmaps from our network.
"""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from paperlib import PaperlibError
from paperlib.skeleton import FLIC, MPII
from paperlib.weights import load
from paperlib.weights.torch7 import Table, read_torch7

# ---------------------------------------------------------------- the format


class Object:
    """An instance of a Lua class: its name and its fields."""

    def __init__(self, kind, **fields):
        self.kind, self.fields = kind, fields


class Writer:
    """Lua's torch.save, binary: the kind, then the value; what has an identity comes once."""

    def __init__(self):
        self.parts, self.indices, self.kept = [], {}, []

    def put(self, code, *values):
        self.parts.append(struct.pack("<" + code, *values))

    def text(self, text):
        self.put("i", len(text))
        self.parts.append(text.encode("latin-1"))

    def write(self, value):
        if value is None:
            self.put("i", 0)
        elif isinstance(value, bool):
            self.put("ii", 5, value)
        elif isinstance(value, (int, float)):
            self.put("id", 1, value)
        elif isinstance(value, str):
            self.put("i", 2)
            self.text(value)
        elif isinstance(value, (list, dict)):
            self.once(3, value, self.table)
        else:
            self.once(4, value, self.instance)

    def once(self, kind, value, write):
        self.put("i", kind)
        self.kept.append(value)
        if id(value) in self.indices:
            self.put("i", self.indices[id(value)])
            return
        self.indices[id(value)] = len(self.indices) + 1
        self.put("i", self.indices[id(value)])
        write(value)

    def table(self, table):
        pairs = list(enumerate(table, 1) if isinstance(table, list) else table.items())
        self.put("i", len(pairs))
        for key, value in pairs:
            self.write(key.inner if isinstance(key, Key) else key)
            self.write(value)

    def instance(self, value):
        self.text("V 1")
        if isinstance(value, Object):
            self.text(value.kind)
            self.write(value.fields)
        elif isinstance(value, Tensor):
            self.text(f"torch.{value.kind}Tensor")
            self.put("i", value.array.ndim)
            self.put(f"{value.array.ndim}q", *value.array.shape)
            self.put(
                f"{value.array.ndim}q", *(s // value.array.itemsize for s in value.array.strides)
            )
            self.put("q", value.first + 1)
            self.write(value.storage)
        else:
            self.text(f"torch.{value.kind}Storage")
            self.put("q", len(value.numbers))
            self.parts.append(value.numbers.tobytes())


class Key:
    """A table or an object as a key, which a dict of Python's would not take."""

    def __init__(self, inner):
        self.inner = inner

    def __hash__(self):
        return id(self.inner)

    def __eq__(self, other):
        return isinstance(other, Key) and other.inner is self.inner


class Storage:
    def __init__(self, numbers, kind):
        self.numbers, self.kind = numbers, kind


class Tensor:
    """A view of a storage; here all of it, or from `first` on."""

    def __init__(self, array, kind="Float", first=0):
        self.array, self.kind, self.first = array, kind, first
        filled = np.concatenate([np.zeros(first, array.dtype), array.ravel()])
        self.storage = Storage(filled, kind)


def saved(path, value, tail=b""):
    writer = Writer()
    writer.write(value)
    path.write_bytes(b"".join(writer.parts) + tail)
    return path


def test_values_come_back(tmp_path):
    shared = [1, 2.5]
    value = {"a": None, "b": True, "c": "\xe9", 3: shared, "again": shared}
    found = read_torch7(saved(tmp_path / "some.t7", value))
    assert found["b"] is True and found["c"] == "\xe9" and found[3].in_order() == [1, 2.5]
    assert found["again"] is found[3] and found["a"] is None


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("Float", "f4"),
        ("Cuda", "f4"),
        ("Double", "f8"),
        ("Long", "i8"),
        ("Byte", "u1"),
        ("CudaDouble", "f8"),
    ],
)
def test_tensors_come_back(kind, dtype, tmp_path):
    array = np.arange(12).reshape(3, 4).astype(dtype)
    one = Tensor(array, kind, first=5)
    found = read_torch7(saved(tmp_path / "some.t7", [one, one]))
    np.testing.assert_array_equal(found[1], array)
    assert found[2] is found[1] and found[1].dtype == dtype


def test_a_view_across_a_storage(tmp_path):
    tensor = Tensor(np.arange(6.0).reshape(2, 3), "Double")
    tensor.array = tensor.array.T
    found = read_torch7(saved(tmp_path / "some.t7", tensor))
    np.testing.assert_array_equal(found, [[0, 3], [1, 4], [2, 5]])


def test_functions_are_skipped(tmp_path):
    code = struct.pack("<ii", 4, 0) + b""  # nothing else is written by the writer itself
    writer = Writer()
    writer.put("iii", 3, 1, 2)  # a table of two
    writer.write("run")
    writer.put("iii", 8, 2, len(code))  # a closure, of which this is the code
    writer.parts.append(code)
    writer.put("iii", 3, 3, 0)  # what it refers to: an empty table
    writer.write("after")
    writer.write(7)
    (tmp_path / "some.t7").write_bytes(b"".join(writer.parts))
    assert read_torch7(tmp_path / "some.t7")["after"] == 7


def test_an_object_that_holds_itself(tmp_path):
    inner = Object("nn.Thing")
    inner.fields["me"] = inner
    found = read_torch7(saved(tmp_path / "some.t7", inner))
    assert found.kind == "nn.Thing" and found["me"] is found


@pytest.mark.parametrize("cut", [3, 10, 60, -1])
def test_files_cut_short(cut, tmp_path):
    path = saved(tmp_path / "some.t7", [Tensor(np.arange(6.0), "Double"), "end"])
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(
        PaperlibError, match="some.t7: not a whole binary file of Lua's torch.save"
    ) as error:
        read_torch7(path)
    assert "\n" not in str(error.value)


def test_a_tensor_larger_than_its_numbers_is_refused(tmp_path):
    tensor = Tensor(np.arange(6.0), "Double")
    tensor.array = np.lib.stride_tricks.as_strided(tensor.array, (2**40, 2), (8 * 2**40, 8))
    with pytest.raises(PaperlibError, match="a tensor of .1099511627776, 2. in 6 numbers"):
        read_torch7(saved(tmp_path / "some.t7", tensor))


# ---------------------------------------------------------------- graphs of modules


class Layers:
    """nn's modules with weights made up, and nodes of a graph of them as nngraph has them."""

    def __init__(self, backend="nn", tensor="Float", old_norms=False):
        self.draw, self.backend, self.tensor = np.random.default_rng(0), backend, tensor
        self.old_norms = old_norms

    def array(self, *shape, scale=0.1, first=0.0):
        return Tensor((first + scale * self.draw.standard_normal(shape)).astype("f4"), self.tensor)

    def module(self, kind, **fields):
        weightless = {"_type": f"torch.{self.tensor}Tensor", "train": False}
        return Object(kind, **weightless, **fields)

    def conv(self, inputs, outputs, kernel=1, stride=1):
        weight = self.array(outputs, inputs, kernel, kernel, scale=(inputs * kernel**2) ** -0.5)
        size = {
            "kW": kernel,
            "kH": kernel,
            "dW": stride,
            "dH": stride,
            "padW": kernel // 2,
            "padH": kernel // 2,
        }
        planes = {"nInputPlane": inputs, "nOutputPlane": outputs}
        kind = f"{self.backend}.SpatialConvolution"
        return self.module(kind, weight=weight, bias=self.array(outputs), **size, **planes)

    def norm(self, width):
        variance = 0.5 + np.abs(self.draw.standard_normal(width)).astype("f4")
        spread = {"running_std": Tensor((variance + 1e-5) ** -0.5, self.tensor)}
        spread = spread if self.old_norms else {"running_var": Tensor(variance, self.tensor)}
        means = {"running_mean": self.array(width), "weight": self.array(width, first=1.0)}
        kept = {"eps": 1e-5, "momentum": 0.1, "affine": True, "bias": self.array(width)}
        return self.module("nn.SpatialBatchNormalization", **means, **kept, **spread)

    def relu(self):
        return self.module(f"{self.backend}.ReLU", inplace=True, threshold=0, val=0)

    def pool(self):
        return self.module(
            f"{self.backend}.SpatialMaxPooling", kW=2, kH=2, dW=2, dH=2, padW=0, padH=0
        )

    def many(self, kind, *modules):
        return self.module(f"nn.{kind}", modules=list(modules))

    def residual(self, inputs, outputs):
        half = outputs // 2
        main = self.many(
            "Sequential",
            *(self.norm(inputs), self.relu(), self.conv(inputs, half)),
            *(self.norm(half), self.relu(), self.conv(half, half, 3)),
            *(self.norm(half), self.relu(), self.conv(half, outputs)),
        )
        skip = self.module("nn.Identity")
        if inputs != outputs:
            skip = self.many("Sequential", self.conv(inputs, outputs))
        beside = self.many("ConcatTable", main, skip)
        return self.many("Sequential", beside, self.module("nn.CAddTable", inplace=True))


def node(module, *before):
    """A node of nngraph: what it takes is in its data, in order, under numbers and as keys."""
    data = {"annotations": {"_debugLabel": "[hg.lua]:1"}, "mapindex": {}, "reverseMap": {}}
    made = Object("nngraph.Node", data=data, id=0, children={}, visited=False, marked=False)
    if module is not None:
        data["module"] = module
    for i, other in enumerate(before, 1):
        data["mapindex"] |= {i: other.fields["data"], Key(other.fields["data"]): i}
        other.fields["data"]["reverseMap"][Key(made)] = True
        made.fields["children"] |= {i: other, Key(other): i}
    return made


def graph(inputs, outputs):
    """nn.gModule, with what torch.save finds in one: both graphs, and the nodes in some order."""
    start, end = node(None), node(None, *outputs)
    inputs.fields["data"]["mapindex"] = {1: start.fields["data"], Key(start.fields["data"]): 1}
    nodes, todo = [], [end]
    while todo:
        one = todo.pop()
        if one not in nodes:
            nodes.append(one)
            todo += [v for k, v in one.fields["children"].items() if not isinstance(k, Key)]
    back = Object("graph.Graph", nodes=nodes, edges=[])
    forward = [Object("nngraph.Node", data=n.fields["data"], id=1) for n in reversed(nodes)]
    modules = [n.fields["data"]["module"] for n in reversed(nodes) if "module" in n.fields["data"]]
    return Object(
        "nn.gModule",
        **{"modules": modules, "bg": back, "fg": Object("graph.Graph", nodes=forward, edges=[])},
        **{"forwardnodes": forward, "backwardnodes": nodes, "innode": start, "outnode": end},
        **{"nInputs": 1, "verbose": False, "train": False},
    )


def hg(make, stacks, modules, head="released", joints=16, features=32):
    """The network of hg.lua (FACTS C.1), narrower, with the authors' order of what is added."""
    narrow = features // 4

    def residuals(x):
        for _ in range(modules):
            x = node(make.residual(features, features), x)
        return x

    def hourglass(n, x):
        beside = residuals(x)
        low = residuals(node(make.pool(), x))
        low = residuals(hourglass(n - 1, low) if n > 1 else residuals(low))
        up = node(make.module("nn.SpatialUpSamplingNearest", scale_factor=2), low)
        return node(make.module("nn.CAddTable"), beside, up)

    def lin(x):
        x = node(make.norm(features), node(make.conv(features, features), x))
        return node(make.relu(), x)

    first = node(make.module("nn.Identity"))
    x = node(make.norm(narrow), node(make.conv(3, narrow, 7, 2), first))
    x = node(make.residual(narrow, 2 * narrow), node(make.relu(), x))
    x = node(make.residual(2 * narrow, 2 * narrow), node(make.pool(), x))
    x, outputs = node(make.residual(2 * narrow, features), x), []
    for s in range(stacks):
        y = hourglass(4, x)
        if head == "released":
            y = lin(residuals(y))
        else:
            for _ in range(modules):
                y = lin(y)
        outputs.append(node(make.conv(features, joints), y))
        if s < stacks - 1:
            again = node(make.conv(features, features), y)
            maps = node(make.conv(joints, features), outputs[-1])
            x = node(make.module("nn.CAddTable"), x, again, maps)
    return graph(first, outputs)


def execute(network, images):
    """The graph, node by node, straight from its fields."""
    known = {}

    def value(data):
        if id(data) not in known:
            taken = [
                value(before) for k, before in data["mapindex"].items() if not isinstance(k, Key)
            ]
            taken = taken or [images]
            module = data.get("module")
            known[id(data)] = (
                run(module, taken if len(taken) > 1 else taken[0]) if module else taken
            )
        return known[id(data)][0] if isinstance(known[id(data)], list) else known[id(data)]

    ends = network.fields["outnode"].fields["data"]["mapindex"]
    return [value(data) for k, data in ends.items() if not isinstance(k, Key)]


def run(module, x):
    own = module.fields
    tensors = {k: torch.from_numpy(v.array) for k, v in own.items() if isinstance(v, Tensor)}
    match module.kind.split(".")[1]:
        case "Identity":
            return x
        case "Sequential":
            for part in own["modules"]:
                x = run(part, x)
            return x
        case "ConcatTable":
            return [run(part, x) for part in own["modules"]]
        case "CAddTable":
            return sum(x)
        case "ReLU":
            return F.relu(x)
        case "SpatialMaxPooling":
            return F.max_pool2d(x, 2)
        case "SpatialUpSamplingNearest":
            return F.interpolate(x, scale_factor=2)
        case "SpatialConvolution":
            return F.conv2d(x, tensors["weight"], tensors["bias"], own["dW"], own["padW"])
        case "SpatialBatchNormalization":
            variance = tensors.get("running_var")
            if variance is None:
                variance = tensors["running_std"] ** -2 - 1e-5
            kept = (tensors["running_mean"], variance, tensors["weight"], tensors["bias"])
            return F.batch_norm(x, *kept)


@pytest.fixture(scope="module")
def images():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, 64, 64), np.uint8))


NETWORKS = {
    "as since September 2016": ({}, {"stacks": 2, "modules": 1}),
    "on a GPU, of cudnn": ({"backend": "cudnn", "tensor": "Cuda"}, {"stacks": 1, "modules": 1}),
    "two modules a step": ({}, {"stacks": 1, "modules": 2}),
    "as in June 2016": ({}, {"stacks": 2, "modules": 1, "head": "paper"}),
    "two rounds, as in the text": ({}, {"stacks": 3, "modules": 2, "head": "paper"}),
    "norms of 2015": ({"old_norms": True}, {"stacks": 1, "modules": 1}),
    "FLIC": ({}, {"stacks": 2, "modules": 1, "joints": 11}),
}


@pytest.mark.parametrize("name", NETWORKS)
@torch.inference_mode()
def test_a_graph_gives_its_heatmaps(name, images, tmp_path):
    how, size = NETWORKS[name]
    network = hg(Layers(**how), **size)
    expected = execute(network, images / 255)
    weights = load(saved(tmp_path / "final_model.t7", network))
    found = weights.model((images.float() - 128) / 256)
    assert len(found) == len(expected) == size["stacks"]
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max()
    options = weights.record["model"]["options"]
    assert {key: options[key] for key in size} == size and options["depth"] == 4
    assert weights.codec.skeleton is (FLIC if name == "FLIC" else MPII)
    assert (weights.codec.sigma, weights.codec.patch) == (1.75, 7) and weights.record[
        "outside"
    ] == 0


def joined(make):
    network = hg(make, 1, 1)
    first = network.fields["modules"][0]
    first.kind = "nn.JoinTable"
    return network


def eps(make):
    network = hg(make, 1, 1)
    for module in network.fields["modules"]:
        if module.kind == "nn.SpatialBatchNormalization":
            module.fields["eps"] = 1e-3
    return network


def other_order(make):
    first = node(make.module("nn.Identity"))
    return graph(first, [node(make.conv(3, 16), node(make.pool(), first))])


UNREAD = {
    "options": (
        lambda make: {"nStack": 8, "LR": 1e-3},
        r"a Table of Torch7 \(LR, nStack\), not a network",
    ),
    "another module": (
        lambda make: make.conv(3, 4),
        "a nn.SpatialConvolution of Torch7 .*not a network",
    ),
    "another layer": (joined, "not the stacked hourglass .it has a nn.JoinTable"),
    "another eps": (eps, "a batch norm with eps 0.001 instead of 1e-05"),
    "another order": (other_order, "1 outputs of 16 heatmaps, 1 poolings and 1 convolutions"),
}


@pytest.mark.parametrize("what", UNREAD)
def test_other_files_of_torch7_are_one_line(what, tmp_path):
    make, message = UNREAD[what]
    with pytest.raises(PaperlibError, match=rf"some.t7: .*{message}") as error:
        load(saved(tmp_path / "some.t7", make(Layers())))
    assert "\n" not in str(error.value)


def test_a_table_is_a_key_by_its_identity():
    one, other = Table(a=1), Table(a=1)
    assert {one: 1, other: 2}[one] == 1 and one != other


def test_the_deep_graph_of_eight_stacks(tmp_path):
    """One chain of references, far deeper than Python's usual limit of calls."""
    path = saved_deep(tmp_path / "deep.t7", hg(Layers(), 8, 1, features=8))
    assert load(path).record["model"]["options"]["stacks"] == 8


def saved_deep(path: Path, value) -> Path:
    import sys

    before = sys.getrecursionlimit()
    sys.setrecursionlimit(50_000)
    try:
        return saved(path, value)
    finally:
        sys.setrecursionlimit(before)
