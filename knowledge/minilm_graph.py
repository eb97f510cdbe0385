"""Builds the ONNX graph of all-MiniLM-L6-v2 from its weights; a program of its own.

`python minilm_graph.py WEIGHTS.safetensors OUT.onnx`. It runs as a child process because `onnx` costs a third of a
second and some hundred megabytes that no later start needs: once built, the graph is loaded from the cache.

The architecture is that of the model's published config.json: BERT, six equal layers, hidden size 384, twelve heads,
exact (erf) GELU, LayerNorm epsilon 1e-12, then mean pooling over the real tokens and L2 normalisation (modules.json).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper, save_model
from safetensors.numpy import load_file

LAYERS = 6
HIDDEN = 384
HEADS = 12
EPSILON = 1e-12
OPSET = 17
"""LayerNormalization came with opset 17, and the IR version that goes with it is 8."""


class _Graph:
    """Collects nodes and constants; every method adds one operation and returns the name of its result."""

    def __init__(self, weights: dict[str, np.ndarray[Any, Any]]) -> None:
        self.weights = weights
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def constant(self, name: str, value: np.ndarray[Any, Any]) -> str:
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.array(value, order="C"), name)
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self.weights[name])

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        result = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [result], **attributes))
        return result

    def linear(self, value: str, *names: str) -> str:
        """`value @ W.T + b`; several names stand side by side in one multiplication (query, key and value)."""
        matrix = np.concatenate([self.weights[f"{name}.weight"] for name in names]).T
        bias = np.concatenate([self.weights[f"{name}.bias"] for name in names])
        product = self.op("MatMul", value, self.constant(f"{names[0]}.W", matrix))
        return self.op("Add", product, self.constant(f"{names[0]}.b", bias))

    def norm(self, value: str, name: str) -> str:
        return self.op(
            "LayerNormalization", value, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), epsilon=EPSILON
        )

    def gelu(self, value: str) -> str:
        scaled = self.op("Div", value, self.constant("sqrt2", np.array(np.sqrt(2.0), np.float32)))
        gate = self.op("Add", self.op("Erf", scaled), self.constant("one", np.array(1.0, np.float32)))
        half = self.constant("half", np.array(0.5, np.float32))
        return self.op("Mul", self.op("Mul", value, gate), half)


def _embeddings(graph: _Graph) -> str:
    words = graph.op("Gather", graph.weight("embeddings.word_embeddings.weight"), "input_ids")
    # One segment only: its type embedding is a constant, added to the positions here rather than at every run.
    positions = (
        graph.weights["embeddings.position_embeddings.weight"]
        + graph.weights["embeddings.token_type_embeddings.weight"][0]
    )
    length = graph.op("Shape", "input_ids", start=1, end=2)
    zero = graph.constant("zero", np.array([0], np.int64))
    place = graph.op("Slice", graph.constant("positions", positions), zero, length, zero)
    return graph.norm(graph.op("Add", words, place), "embeddings.LayerNorm")


def _layer(graph: _Graph, value: str, bias: str, number: int) -> str:
    prefix = f"encoder.layer.{number}"
    attention = f"{prefix}.attention.self"
    size = HIDDEN // HEADS
    joined = graph.linear(value, f"{attention}.query", f"{attention}.key", f"{attention}.value")
    by_head = graph.op("Reshape", joined, graph.constant("by_head", np.array([0, 0, 3, HEADS, size], np.int64)))
    turned = graph.op("Transpose", by_head, perm=[2, 0, 3, 1, 4])
    query, key, content = (
        graph.op("Gather", turned, graph.constant(f"take{i}", np.array(i, np.int64)), axis=0) for i in range(3)
    )
    scores = graph.op("MatMul", query, graph.op("Transpose", key, perm=[0, 1, 3, 2]))
    scaled = graph.op("Mul", scores, graph.constant("scale", np.array(size**-0.5, np.float32)))
    weights = graph.op("Softmax", graph.op("Add", scaled, bias), axis=-1)
    mixed = graph.op("Transpose", graph.op("MatMul", weights, content), perm=[0, 2, 1, 3])
    flat = graph.op("Reshape", mixed, graph.constant("flat", np.array([0, 0, HIDDEN], np.int64)))
    attended = graph.op("Add", graph.linear(flat, f"{prefix}.attention.output.dense"), value)
    attended = graph.norm(attended, f"{prefix}.attention.output.LayerNorm")
    inner = graph.gelu(graph.linear(attended, f"{prefix}.intermediate.dense"))
    return graph.norm(
        graph.op("Add", graph.linear(inner, f"{prefix}.output.dense"), attended), f"{prefix}.output.LayerNorm"
    )


def build(weights: dict[str, np.ndarray[Any, Any]]) -> ModelProto:
    """Return the serialised model: `input_ids`, `attention_mask` (int64, batch x length) to `embedding` (batch x
    384)."""
    graph = _Graph(weights)
    mask = graph.op("Cast", "attention_mask", to=TensorProto.FLOAT)
    one = graph.constant("one", np.array(1.0, np.float32))
    hidden_from = graph.op("Mul", graph.op("Sub", mask, one), graph.constant("far", np.array(1e4, np.float32)))
    bias = graph.op("Unsqueeze", hidden_from, graph.constant("axes12", np.array([1, 2], np.int64)))
    value = _embeddings(graph)
    for number in range(LAYERS):
        value = _layer(graph, value, bias, number)
    column = graph.op("Unsqueeze", mask, graph.constant("axis2", np.array([2], np.int64)))
    axis1 = graph.constant("axis1", np.array([1], np.int64))
    total = graph.op("ReduceSum", graph.op("Mul", value, column), axis1, keepdims=0)
    mean = graph.op("Div", total, graph.op("ReduceSum", column, axis1, keepdims=0))
    graph.nodes.append(helper.make_node("LpNormalization", [mean], ["embedding"], axis=-1, p=2))
    shape = ["batch", "length"]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "all-MiniLM-L6-v2",
            [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask")],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", HIDDEN])],
            list(graph.constants.values()),
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=8,
    )
    checker.check_model(model)
    return model


def main(arguments: list[str]) -> int:
    """Build the graph from the weights named first into the file named second, its own weights beside it."""
    weights, target = arguments
    model = build(load_file(weights))
    save_model(model, target, save_as_external_data=True, location=f"{Path(target).name}.data", size_threshold=1024)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
