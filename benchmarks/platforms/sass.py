"""Machine instructions of PTX kernels, by `ptxas` and `nvdisasm` of the CUDA wheels."""

import functools
import importlib.metadata
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

PIPES = {
    "fma": "FFMA FMUL FADD FFMA32I FMUL32I FADD32I HADD2 HMUL2 HFMA2",
    "integer_fma": "IMAD IMUL IDP",
    "special": "MUFU",
    "convert": "F2F I2F F2I",
    "memory": "LDG STG LD ST LDS STS LDC ULDC SHFL ATOM ATOMG RED LDGSTS LDL STL",
    "control": "BRA EXIT BSSY BSYNC CALL RET BAR WARPSYNC S2R S2UR CS2R ACQBULK DEPBAR "
    "BREAK ERRBAR MEMBAR CCTL YIELD VOTE VOTEU PLOP3 NANOSLEEP",
    "fp64": "DFMA DMUL DADD DSETP",
}
"""Opcodes by execution pipe; all others run on the integer and comparison pipe."""
PIPE_OF = {opcode: pipe for pipe, row in PIPES.items() for opcode in row.split()}
OPCODE = re.compile(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)")


class Code(NamedTuple):
    """The machine code of one kernel."""

    instructions: int
    """Instructions in the kernel, each counted once."""
    pipes: dict[str, int]
    """The same by pipe."""
    registers: int
    spills: int
    """Bytes of registers that are stored to memory."""


@functools.cache
def tool(name: str) -> str:
    """Return the path of a tool of the CUDA toolkit, of a wheel or of the system."""
    for distribution in importlib.metadata.distributions():
        if distribution.metadata["Name"].startswith("nvidia-cuda-nv"):
            for file in distribution.files or ():
                if file.name == name:
                    path = Path(str(distribution.locate_file(file)))
                    path.chmod(path.stat().st_mode | 0o111)
                    return str(path)
    path = shutil.which(name)
    if path is None:
        raise FileNotFoundError(
            f"platforms: expected {name} of the CUDA toolkit; run `make platforms`"
        )
    return path


HEADER = re.compile(r"^\.address_size \d+$", re.M)
SYMBOL = re.compile(
    r"^(?:\.(?:extern|visible|weak) )*\.(?:(?:shared|global|const)\b[^;{]*?\.b\d+ "
    r"([\w$]+)\[|func\s*(?:\([^)]*\)\s*)?([\w$]+))",
    re.M,
)


def join(modules: list[str]) -> str:
    """Return one PTX module of several: the tools start slowly.

    Symbols of a module get the number of the module, since each names its own.
    """
    joined = modules[0]
    for number, text in enumerate(modules[1:], 1):
        header = HEADER.search(text)
        body = text[header.end() :] if header else text
        for name in {variable or f for variable, f in SYMBOL.findall(body)}:
            whole = rf"(?<![\w$]){re.escape(name)}(?![\w$])"
            body = re.sub(whole, f"{name}_{number}", body)
        joined += body
    return joined


def assemble(modules: list[str]) -> dict[str, Code]:
    """Return the machine code of each kernel of PTX modules."""
    text = join(modules)
    architecture = re.search(r"^\.target (\w+)", text, re.M)
    if architecture is None:
        raise ValueError("sass: expected PTX with a .target")
    with tempfile.TemporaryDirectory() as folder:
        ptx, cubin = Path(folder) / "kernels.ptx", str(Path(folder) / "kernels.cubin")
        ptx.write_text(text)
        flags = ["-v", f"-arch={architecture[1]}", str(ptx), "-o", cubin]
        log = run([tool("ptxas"), *flags]).stderr
        listing = run([tool("nvdisasm"), "-c", cubin]).stdout
    used = re.findall(
        r"entry function '(\w+)'.*?(\d+) bytes spill stores.*?Used (\d+) registers",
        log,
        re.S,
    )
    resources = {name: (int(r), int(spill)) for name, spill, r in used}
    codes = {}
    for part in re.split(r"\n\.text\.", listing)[1:]:
        name = part.partition(":")[0]
        opcodes = [o.split(".")[0] for o in OPCODE.findall(part)]
        opcodes = [o for o in opcodes if o != "NOP"]
        pipes = Counter(pipe_of(o) for o in opcodes)
        codes[name] = Code(len(opcodes), dict(pipes), *resources.get(name, (0, 0)))
    return codes


def pipe_of(opcode: str) -> str:
    """Return the pipe of an opcode; uniform instructions have one of their own."""
    if opcode in PIPE_OF:
        return PIPE_OF[opcode]
    return "uniform" if opcode.startswith("U") else "integer"


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a tool, and return its output."""
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        raise RuntimeError(f"{command[0]}: {process.stderr.strip()[-400:]}")
    return process
