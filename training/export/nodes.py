"""What every rewriting of a graph ends with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def replace_nodes(graph: Any, nodes: Sequence[Any], tensors: Iterable[Any]) -> None:
    """Put nodes and stored tensors in the place of a graph's own; what leads nowhere is left out.

    Args:
        graph: is changed.
        nodes: in an order in which each reads only what comes before it.
        tensors: stored ones that the nodes may read.
    """
    used = {output.name for output in graph.output}
    kept = []
    for node in reversed(nodes):
        if used.intersection(node.output):
            kept.append(node)
            used.update(node.input)
    stored = [tensor for tensor in tensors if tensor.name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(stored)
