"""What a step is compared with: the very passes that the method makes, no more and no fewer."""

from __future__ import annotations

import mmap

import pandas as pd
import pytest
import torch

from riqa_lib.training import bench, photographs


@pytest.mark.parametrize(
    "row",
    ["supervised", "supervised_strong", *(m for m in photographs.METHODS if m != "supervised")],
)
def test_the_bare_work_has_every_picture_that_the_method_shows_its_network(row):
    run = photographs.settings("smoke", row, 0)
    c = run.train
    found = bench.measure("smoke", row, 1, torch.device("cpu"))
    views = {"simmatch": 2, "comatch": 3, "mean_teacher": 3}.get(
        row, 2 if row not in ("supervised", "supervised_strong") else 0
    )
    expected = (
        c.batch * (1 + (row == "supervised_strong"))
        + c.mu * c.batch * views
        + (4 * c.batch if row == "crmatch" else 0)
    )
    assert found["pictures"] == expected
    assert min(found["step"], found["bare"], found["views"], found["flops"]) > 0


def test_the_table_has_a_row_for_each_method_and_names_the_machine(monkeypatch, capsys):
    found = {"pictures": 8, "flops": 2e6, "step": 0.02, "bare": 0.01, "views": 0.001, "ratio": 2.0}
    found |= {"view_bytes": 1e6, "waits": 3, "memory": 2.0**29}
    found |= {f"{part}_part": 0.002 for part in bench.PARTS}
    monkeypatch.setattr(bench, "measure", lambda *a: found)
    monkeypatch.setattr(bench, "peak", lambda where: 1e9)
    monkeypatch.setattr(bench, "bandwidth", lambda where: 4e9)
    table = bench.bench("smoke", 1, forms=("maps", "pixels"))
    assert len(table) == 2 * (len(photographs.METHODS) + 1)
    assert list(table["form"].unique()) == ["maps", "pixels"]
    first = table.iloc[0]
    assert (first["share_of_bandwidth"], first["peak_gib"], first["clip_part_ms"]) == (0.25, 0.5, 2)
    assert (first["ratio"], first["pictures_per_second"], first["share_of_peak"]) == pytest.approx(
        (2, 400, 0.2)
    )
    assert first["machine"]
    assert first["torch"] in capsys.readouterr().out


def test_what_is_kept_stays_beside_other_machines_and_numbers_of_threads(tmp_path):
    def rows(machine, threads, *ratios):
        about = {"machine": machine, "threads": threads}
        return pd.DataFrame([about | {"ratio": ratio} for ratio in ratios])

    file = tmp_path / "bench.csv"
    bench.keep(rows("X", 1, 1.123456), file)
    bench.keep(rows("Y", 1, 1.2, 1.3), file)
    bench.keep(rows("Y", 2, 1.4), file)
    bench.keep(rows("Y", 1, 1.5, 1.6), file)  # the same place again: instead of what was there
    stored = pd.read_csv(file)
    assert stored.to_numpy().tolist() == [
        *(["X", 1, 1.1235], ["Y", 2, 1.4], ["Y", 1, 1.5], ["Y", 1, 1.6])
    ]


def test_parts_of_a_step_are_those_of_the_step():
    work = bench.work("smoke", "fixmatch", torch.device("cpu"))
    assert list(work.parts()) == list(bench.PARTS)


def test_views_move_at_least_what_they_read_and_write():
    run = photographs.settings("smoke", "fixmatch", 0)
    views, c = bench.work("smoke", "fixmatch", torch.device("cpu")).views(), run.train
    pictures = c.batch * (1 + 2 * c.mu)  # labelled, weak and strong
    numbers = pictures * run.data.crop**2 * 3
    assert bench.view_bytes(views) == numbers * (1 + 4)  # uint8 read, float32 written


def test_memory_is_the_most_since_it_was_asked_to_forget():
    bench.forget_peak()
    before = bench.peak_memory()
    with mmap.mmap(-1, 2**26) as block:  # 64 MiB that no allocator has kept from before
        for _ in range(64):
            block.write(bytes(2**20))
        assert bench.peak_memory() - before > 0.9 * 2**26
    bench.forget_peak()
    assert bench.peak_memory() - before < 0.5 * 2**26


def test_operations_of_a_depthwise_convolution_are_not_those_of_a_dense_one():
    class Depthwise(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)

        def forward(self, x):
            return self.conv(x)

    images = torch.zeros(5, 8, 6, 6)
    once = 5 * 2 * 8 * 3 * 3 * 6 * 6  # a product and a sum: channels, kernel, places
    net = Depthwise()
    assert bench.flops_of(net, [(images, False)]) == once
    assert bench.flops_of(net, [(images, True), (images, False)]) == (3 + 1) * once
