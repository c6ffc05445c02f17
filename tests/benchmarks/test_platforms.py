"""Counts of compiled programs, from text; no compiler is needed."""

import importlib
import math
import re

import pytest

from benchmarks import gpu, pages, results
from benchmarks.pages import gpu as gpu_page, platforms as platforms_page
from benchmarks.platforms import bundles, command, ptx, sass
from benchmarks.platforms.gpu import Launch, kernel_cost, match_launches
from benchmarks.platforms.hlo import Module
from benchmarks.platforms.programs import SMALL, named
from benchmarks.platforms.targets import PLUGINS, TARGETS, CompilerMissing, interpreter
from benchmarks.results import PlatformRow, load_device

LOOP = """
%body (arg: (f32[4,1024], s32[])) -> (f32[4,1024], s32[]) {
  %arg = (f32[4,1024]{1,0}, s32[]) parameter(0)
  %stack = f32[4,1024]{1,0} get-tuple-element(%arg), index=0
  %i = s32[] get-tuple-element(%arg), index=1
  %slice_fusion = f32[1024]{0} fusion(%stack, %i), kind=kLoop, calls=%fused_slice
  ROOT %tuple = (f32[4,1024]{1,0}, s32[]) tuple(%stack, %i)
}

%fused_slice (p0: f32[4,1024], p1: s32[]) -> f32[1024] {
  %p0 = f32[4,1024]{1,0} parameter(0)
  %p1 = s32[] parameter(1)
  %zero = s32[] constant(0)
  %slice = f32[1,1024]{1,0} dynamic-slice(%p0, %p1, %zero), dynamic_slice_sizes={1,1024}
  ROOT %row = f32[1024]{0} bitcast(%slice)
}

ENTRY %main (x: f32[4,1024]) -> (f32[4,1024], s32[]) {
  %x = f32[4,1024]{1,0} parameter(0)
  %c = s32[] constant(0)
  %init = (f32[4,1024]{1,0}, s32[]) tuple(%x, %c)
  %add.1 = f32[4,1024]{1,0} add(%x, %x)
  ROOT %w = (f32[4,1024]{1,0}, s32[]) while(%init), condition=%cond, body=%body, \
backend_config={"known_trip_count":{"n":"12"}}
}
"""
KERNEL = """
.visible .entry sum(
	.param .u64 sum_param_0
)
.reqntid 64, 1, 1
{
	.reg .b32 	%r<9>;

	ld.param.b64 	%rd1, [sum_param_0];
	mov.u32 	%r1, %tid.x;
	mov.b32 	%r2, 0;
$L__BB0_1:
	ld.global.f32 	%f1, [%rd1];
	add.s32 	%r2, %r2, 1;
	setp.lt.s32 	%p1, %r2, 10;
	@%p1 bra 	$L__BB0_1;
	setp.ne.s32 	%p2, %r1, 0;
	@%p2 bra 	$L__BB0_2;
	st.global.f32 	[%rd1], %f1;
$L__BB0_2:
	ret;
}
"""
SCHEDULE = """
   0x1   :  { %s1 = smov 0 }
   0x2 LB: > { %v1 = vtanh.f32 %v0 }
   0x3   :  {}
   0x4   : > { %p1 = scmp.ge.s32.totalorder %s1, 18 /* loop exit test */ }
   0x5   :  { %2 = vst [vmem:[%s2]] %v1 }
"""


def test_kernels_of_a_loop_count_as_often_as_it_runs():
    kernels = {k.name: k for k in Module(LOOP).kernels()}
    assert kernels["slice_fusion"].runs == 12
    assert kernels["add.1"].runs == 1


def test_a_fusion_reads_the_slice_of_a_stacked_array():
    kernels = {k.name: k for k in Module(LOOP).kernels()}
    assert kernels["slice_fusion"].bytes == 2 * 4096 + 4  # the slice, a row, the index
    assert kernels["add.1"].bytes == 3 * 4 * 4096


def test_arrays_in_the_memory_of_a_tensor_core_move_no_bytes():
    text = (
        "ENTRY %main (x: f32[1024]) -> f32[1024] {\n"
        "  %x = f32[1024]{0:T(1024)} parameter(0)\n"
        "  %copy-start = (f32[1024]{0:T(1024)S(1)}, f32[1024]{0:T(1024)}, u32[]{:S(2)})"
        " copy-start(%x)\n"
        "  %copy-done = f32[1024]{0:T(1024)S(1)} copy-done(%copy-start)\n"
        "  ROOT %y = f32[1024]{0:T(1024)} negate(%copy-done)\n}\n"
    )
    assert [k.bytes for k in Module(text).kernels()] == [4096, 4096]


def test_a_slice_that_is_prefetched_moves_its_own_bytes():
    text = (
        "ENTRY %main (x: s8[4096]) -> s8[1024] {\n"
        "  %x = s8[4096]{0:T(1024)} parameter(0)\n"
        "  %slice-start = ((s8[4096]{0:T(1024)}), s8[1024]{0:T(1024)S(1)}, "
        "s32[]{:S(2)}) slice-start(%x), slice={[0:1024]}\n"
        "  %slice-done = s8[1024]{0:T(1024)S(1)} slice-done(%slice-start)\n"
        "  ROOT %y = s8[1024]{0:T(1024)} negate(%slice-done)\n}\n"
    )
    assert [k.bytes for k in Module(text).kernels()] == [1024, 1024]


def test_collectives_and_epilogues_are_reported():
    text = (
        "ENTRY %e (x: f32[2]) -> f32[2] {\n  ROOT %a = f32[2]{0} all-reduce-start(%x), "
        'backend_config={"epilogue":"BIAS_RELU"}, {"epilogue":"DEFAULT"}\n}\n'
    )
    assert Module(text).collectives() == ["all-reduce"]
    assert Module(text).patterns() == ["BIAS_RELU"]


def test_executed_instructions_follow_loops_and_branches():
    kernel = ptx.parse_kernels(KERNEL)["sum"]
    before, loop, after = 3, 4 * 10, 3
    assert ptx.executed(kernel, 1, 64) == before + loop + after
    assert ptx.executed(kernel, 0, 64) == before + loop + after + 1
    assert ptx.warp_instructions(kernel, 64) == before + loop + after + 0.5


def test_a_branch_on_loaded_data_falls_through():
    text = KERNEL.replace(
        "setp.lt.s32 	%p1, %r2, 10", "setp.lt.f32 	%p1, %f1, 0f0"
    )
    assert ptx.executed(ptx.parse_kernels(text)["sum"], 1, 64) == 3 + 4 + 3


def test_symbols_of_joined_modules_are_distinct():
    module = """
.address_size 64
.extern .shared .align 16 .b8 memory[];
.global .align 1 .b8 _$_str[11];
.func  (.param .b32 result) add_0(
	.param .b32 x
)
.visible .entry kernel_%d()
	mov.u64 	%%rd1, _$_str;
	call.uni (r), add_0, (p);
	mov.u64 	%%rd2, memory;
"""
    joined = sass.join([module % number for number in range(3)])
    for name in ("memory", "_$_str", "add_0"):
        for each in (name, f"{name}_1", f"{name}_2"):
            assert (
                len(re.findall(rf"(?<![\w$]){re.escape(each)}(?![\w$])", joined)) == 2
            )


def test_issue_time_is_that_of_the_busiest_pipe():
    target, launch = TARGETS["h100"], Launch(blocks=132, threads=32)
    cost = lambda **pipes: kernel_cost(
        sass.Code(sum(pipes.values()), pipes, 16, 0), 1, launch, target
    )
    cycle = 1 / target.clock
    assert cost(fma=40).seconds == pytest.approx(10 * cycle)
    assert cost(integer=40).seconds == pytest.approx(20 * cycle)
    assert cost(special=40, fma=8).seconds == pytest.approx(80 * cycle)
    assert cost(fma=1, special=1).special == 132 * 32


def test_equal_kernels_are_matched_by_order():
    text = (
        "ENTRY %main (x: f32[2]) -> f32[2] {\n  %x = f32[2]{0} parameter(0)\n"
        "  %f = f32[2]{0} fusion(%x), kind=kLoop, calls=%c\n"
        "  ROOT %f.1 = f32[2]{0} fusion(%f), kind=kLoop, calls=%d\n}\n"
    )
    thunks = [("f", Launch(1, 32)), ("f", Launch(1, 32))]
    matches = match_launches(Module(text), thunks)
    assert [(name, launched) for name, launched, _ in matches] == [
        ("f", "f"),
        ("f.1", "f"),
    ]


@pytest.mark.parametrize(("steps", "trips"), [(16, 16), (1, 18)])
def test_bundles_of_a_loop_count_as_often_as_it_runs(steps, trips):
    # An exit test at 18 of a window of 16 steps fills and drains a pipeline.
    assert bundles.bundles_of(SCHEDULE, steps) == (2 + 3 * trips, trips)


def test_an_unknown_function_is_an_error():
    with pytest.raises(ValueError, match=r"expected functions among .*; got silly"):
        named(["silu", "silly"])


def test_programs_of_both_libraries_have_equal_arguments():
    cases = {}
    for program in named(["silu", "softmax 128", "attention"], SMALL):
        cases.setdefault(program[:1] + program[2:4], []).append(program)
    assert len(cases) == 2 * 2 * 3
    for ours, theirs in cases.values():
        assert ours.arguments == theirs.arguments
        assert (ours.library, theirs.library) == ("jax_acts", "jax")


def test_a_missing_compiler_says_what_to_install(monkeypatch):
    monkeypatch.setitem(PLUGINS, "gpu", "no_such_compiler")
    interpreter.cache_clear()
    with pytest.raises(CompilerMissing, match=r"expected the GPU compiler.*make platf"):
        interpreter("gpu")
    interpreter.cache_clear()


def test_the_platforms_page_is_a_function_of_the_stored_results(monkeypatch, tmp_path):
    monkeypatch.setattr(platforms_page, "DOCS", tmp_path)
    platforms_page.write()
    stored = (pages.DOCS / "platforms.md").read_text(encoding="utf-8")
    assert (tmp_path / "platforms.md").read_text(encoding="utf-8") == stored


@pytest.mark.slow
def test_gpu_measures_and_writes_a_page_on_any_device(monkeypatch, tmp_path):
    gpu.main(budget=600, quick=True, folder=tmp_path)
    (path,) = tmp_path.glob("gpu-*.json")
    measured = load_device(path)
    assert {r.function for r in measured.times} == {
        *("softmax 128", "log_softmax 128", "logsumexp 128", "swiglu"),
    }
    assert {r.function for r in measured.blocks} == {
        *("dense relu", "attention", "transformer step"),
    }
    assert all(r.microseconds > 0 and r.kernels for r in measured.times)
    assert {r.function for r in measured.errors["jax_acts"]} == {"relu", "silu"}
    assert not measured.head["missing"]
    monkeypatch.setattr(gpu_page, "DOCS", tmp_path)
    monkeypatch.setattr(gpu_page, "DATA", tmp_path)
    importlib.import_module("benchmarks.pages.gpu").write()
    page = path.with_suffix(".md").read_text(encoding="utf-8")
    assert "transformer step" in page
    assert "Largest errors" in page


@pytest.mark.slow
def test_gpu_keeps_what_the_budget_reached(tmp_path):
    gpu.main(budget=-1, quick=True, folder=tmp_path)
    (path,) = tmp_path.glob("gpu-*.json")
    measured = load_device(path)
    assert not measured.times
    assert {"times", "blocks", "accuracy"} == measured.head["missing"].keys()


class FakeCompiler:
    """Answers with one kernel for every program, until it stops."""

    target, versions = "h100", {"jax": "1.0"}

    def __init__(self, answers=math.inf):
        self.answers, self.requests = answers, []

    def request(self, name, **more):
        self.requests.append(more)
        if len(self.requests) > self.answers:
            return {"error": "the compiler exited with status -6"}
        if more == {"program": "hash"}:
            return {"program": "hash"}
        counts = PlatformRow("", "", "", "", *[1] * 11, "", "")._asdict()
        for field in ("function", "library", "dtype", "direction", "program"):
            del counts[field]
        return {"program": "hash", "counts": counts}


def test_an_interrupted_run_resumes_and_reports_its_errors(monkeypatch, tmp_path):
    monkeypatch.setattr(results, "DATA", tmp_path)
    programs = named(["silu"])
    first = FakeCompiler(answers=3)
    failures = command.measure(first, programs)
    assert failures.keys() == {p.name for p in programs[3:]}
    second = FakeCompiler()
    assert not command.measure(second, programs)
    assert [bool(more) for more in second.requests] == 3 * [True] + 5 * [False]
    _, rows = results.load_rows("platforms", PlatformRow, backend="h100")
    assert len(rows) == len(programs) == 8
    newer = FakeCompiler()
    newer.versions = {"jax": "1.1"}
    command.measure(newer, programs)
    assert not any(newer.requests)  # nothing is known of another compiler's programs
