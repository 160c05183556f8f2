"""What an interrupted training goes on from is whole, or not gone on from."""

from __future__ import annotations

import random

import torch

from riqa_lib.training import saved_state


def written(file):
    torch.manual_seed(0)
    net = torch.nn.Linear(3, 2)
    optim = torch.optim.Adam(net.parameters())
    net(torch.ones(1, 3)).sum().backward()
    optim.step()
    extra = {"half": torch.ones(3).bfloat16(), "none": torch.empty(0, 2), "one": torch.tensor(7)}
    saved_state.save(file, {"net": net.state_dict(), "extra": extra}, {"step": 3}, optim)
    return net, optim, extra


def test_a_state_is_read_as_it_was_saved(tmp_path):
    net, optim, extra = written(tmp_path / "s")
    state = saved_state.read(tmp_path / "s")
    assert state.note == {"step": 3}
    for name, own in (("net", net.state_dict()), ("extra", extra)):
        assert state.part(name).keys() == own.keys()
        assert all(torch.equal(state.part(name)[k], v) for k, v in own.items())
    other = torch.optim.Adam(torch.nn.Linear(3, 2).parameters())
    state.load_into(other)
    slots = other.state_dict()["state"][0]
    assert torch.equal(slots["exp_avg"], optim.state_dict()["state"][0]["exp_avg"])
    assert saved_state.read(tmp_path / "absent") is None


def test_no_flipped_bit_is_gone_on_from(tmp_path, capsys):
    file = tmp_path / "s"
    written(file)
    whole, rng = file.read_bytes(), random.Random(0)
    places = rng.sample(range(8 * len(whole)), 300)
    for place in places:
        harmed = bytearray(whole)
        harmed[place // 8] ^= 1 << place % 8
        file.write_bytes(harmed)
        state = saved_state.read(file)
        # the spaces that fill the header up to a multiple of eight bytes mean nothing
        assert state is None or whole[place // 8 : place // 8 + 1] == b" ", f"bit {place}"
        assert file.exists() == (state is not None)
    assert capsys.readouterr().out.count("thrown away, this part starts anew") > 290


def test_a_state_of_other_parameters_is_not_gone_on_from(tmp_path, capsys):
    written(tmp_path / "s")  # a weight (2, 3), then a bias (2,)
    net = torch.nn.Linear(3, 2)
    same = torch.optim.Adam(net.parameters())
    assert saved_state.read(tmp_path / "s", same) is not None
    for others in ([net.bias, net.weight], [net.weight]):
        written(tmp_path / "s")
        assert saved_state.read(tmp_path / "s", torch.optim.Adam(others)) is None
        assert not (tmp_path / "s").exists()
        assert "of another version (the optimiser has other parameters)" in capsys.readouterr().out


def test_channels_last_weights_go_on_with_the_same_bits(tmp_path):
    def step(net, optim):
        torch.manual_seed(1)
        optim.zero_grad()
        net(torch.randn(2, 4, 9, 9).to(memory_format=torch.channels_last)).square().sum().backward()
        optim.step()

    def fresh():
        torch.manual_seed(0)
        net = torch.nn.Conv2d(4, 8, 3).to(memory_format=torch.channels_last)
        return net, torch.optim.AdamW(net.parameters(), lr=0.1, fused=True)

    net, optim = fresh()
    step(net, optim)
    saved_state.save(tmp_path / "s", {"net": net.state_dict()}, {}, optim)
    step(net, optim)
    again, other = fresh()
    state = saved_state.read(tmp_path / "s")
    again.load_state_dict(state.part("net"))
    state.load_into(other)
    step(again, other)
    assert torch.equal(again.weight, net.weight)
