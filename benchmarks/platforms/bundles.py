"""Executed bundles of a TPU kernel, from the schedule that libtpu writes as text.

A bundle is what a TensorCore issues in one cycle: at most four vector instructions, a
load, a store, … on registers of 8 × 128 elements.
"""

import re

import numpy as np

BUNDLE = re.compile(r"^ *(?:0x)?[0-9a-f]+ +(\w\w)?:  ?((?:> *)*)({})?", re.M)
"""Start of a bundle: its address, a label (LB: a loop begins), a `>` per loop.

An empty bundle `{}` has no mark of the loops around it.
"""
EXIT = re.compile(r"scmp\.ge\.s32\.totalorder %\w+, (\d+) /\* loop exit test")
SPECIAL = re.compile(r"\bv(?:tanh|pow2|log2|rcp|rsqrt|erf|sinq|cosq)\b")
PIPELINE = 16
"""Most iterations that fill and drain the pipeline of a loop."""


def bundles_of(text: str, steps: int) -> tuple[float, float]:
    """Return the executed bundles and special functions of a kernel.

    Args:
        text: The schedule.
        steps: Iterations of the outer loop without those that fill its pipeline, by
            the window of the kernel.
    """
    matches = list(BUNDLE.finditer(text))
    ends = [m.start() for m in matches[1:]] + [len(text)]
    bodies = [text[m.start() : end] for m, end in zip(matches, ends, strict=True)]
    depths: list[int] = []
    for match in matches:
        depths.append(depths[-1] if match[3] and depths else match[2].count(">"))
    runs = np.ones(len(matches))
    for first, match in enumerate(matches):
        if match[1] != "LB":
            continue
        # The loop ends before the next bundle that is not as deep.
        after = range(first + 1, len(matches))
        end = next((i for i in after if depths[i] < depths[first]), len(matches))
        loop = range(first, end)
        tests = [EXIT.search(bodies[i]) for i in loop if depths[i] == depths[first]]
        trips = next((int(test[1]) for test in reversed(tests) if test), 1)
        if depths[first] == 1 and 0 < trips - steps <= PIPELINE:
            trips = steps
        runs[first:end] *= trips
    special = np.array([len(SPECIAL.findall(body)) for body in bodies])
    return float(runs.sum()), float((runs * special).sum())
