"""Programs compiled for GPUs and TPUs that are not attached: kernels, bytes, time."""

from benchmarks.platforms.command import main as main
