"""What a step is compared with: the very passes that the method makes, no more and no fewer."""

from __future__ import annotations

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
    monkeypatch.setattr(
        bench,
        "measure",
        lambda *a: {"pictures": 8, "flops": 2e6, "step": 0.02, "bare": 0.01, "views": 0.001},
    )
    monkeypatch.setattr(bench, "peak", lambda where: 1e9)
    table = bench.bench("smoke", 1)
    assert len(table) == len(photographs.METHODS) + 1
    first = table.iloc[0]
    assert (first["ratio"], first["pictures_per_second"], first["share_of_peak"]) == pytest.approx(
        (2, 400, 0.2)
    )
    assert first["machine"]
    assert first["torch"] in capsys.readouterr().out
