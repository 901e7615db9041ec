# SPDX-License-Identifier: Apache-2.0
"""The quantised network: number format, shared quantisers, loading, calibration and fine-tuning."""

from __future__ import annotations

import copy
import itertools
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from host.common.errors import UserError
from model.network.checkpoint import (
    load_network,
    load_quantised,
    read_checkpoint,
    save_quantised,
)
from model.network.pfld import PFLD, Bottleneck
from model.network.quantised import (
    build_quantised,
    learned_quantisers,
    load_float,
    set_threshold,
)
from model.training.ptq import Length, Tuner, calibrate, correct_bias, post_train
from tests.model.samples import as_tensor, random_network, smooth_images

SMALL = {"width": 0.125, "s3": "conv1x1", "image_size": 32, "num_landmarks": 4}


def test_camera_bytes_pass_the_input_unchanged() -> None:
    quantised = build_quantised(SMALL)
    levels = torch.arange(256, dtype=torch.float32) / 255
    assert torch.equal(torch.round(quantised.image(levels) * 255), torch.arange(256.0))
    assert quantised.image.act_quant.scale().item() == pytest.approx(1 / 255, rel=1e-7)


def test_every_weight_is_narrow_int8_with_a_scale_per_output() -> None:
    quantised = build_quantised({"width": 0.25})
    layers = [m for m in quantised.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == 44
    for layer in layers:
        weight = layer.quant_weight()
        steps = weight.value / weight.scale
        assert weight.scale.numel() == layer.weight.shape[0]
        assert steps.abs().max() <= 127.001
        assert (steps - steps.round()).abs().max() < 1e-3


def test_activation_grids() -> None:
    quantised = build_quantised(SMALL)
    set_threshold(quantised.stem[0].act, 2.0)
    set_threshold(quantised.pooled, 2.0)
    wide = torch.linspace(-9, 9, 2001)
    unsigned = quantised.stem[0].act(wide) * 255 / 2
    signed = quantised.pooled(wide) * 128 / 2
    assert (unsigned.min().item(), unsigned.max().item()) == pytest.approx((0, 255))
    assert (signed.min().item(), signed.max().item()) == pytest.approx((-128, 127))


def test_adds_and_concat_share_their_quantisers() -> None:
    quantised = build_quantised({"width": 0.25})
    blocks = [m for m in quantised.modules() if isinstance(m, Bottleneck)]
    shared = [b for a, b in itertools.pairwise(blocks) if a.end is b.project.act]
    assert len(shared) == sum(b.residual for b in blocks) == 10
    assert len(learned_quantisers(quantised)) == 44
    assert quantised.pooled in learned_quantisers(quantised).values()
    assert quantised.image not in learned_quantisers(quantised).values()


def test_quantised_network_follows_the_float_network(network: PFLD, quantised: PFLD) -> None:
    fine = build_quantised(network.config()).eval()
    load_float(fine, network.state_dict())
    inputs = as_tensor(smooth_images(4, 112, seed=2))
    with torch.no_grad():
        first = network.stem(inputs)
        calibrate(fine, network, inputs, 100)
        error = (fine.stem(fine.image(inputs)) - first).abs().max() / first.abs().max()
    assert error < 0.04  # two layers of 8-bit rounding


def test_loading_needs_the_same_network() -> None:
    state = PFLD(**SMALL).state_dict()
    with pytest.raises(UserError, match=r"the checkpoint has no fc\.bias; it is not of this"):
        load_float(build_quantised(SMALL), {k: v for k, v in state.items() if k != "fc.bias"})
    with pytest.raises(UserError, match=r"fc\.weight .* \(10, 24\), the network .* \(8, 24\)"):
        load_float(build_quantised(SMALL), PFLD(**SMALL | {"num_landmarks": 5}).state_dict())


def test_thresholds_must_be_positive_and_learned() -> None:
    quantised = build_quantised(SMALL)
    with pytest.raises(UserError, match=r"threshold 0 is not positive"):
        set_threshold(quantised.pooled, 0)
    with pytest.raises(UserError, match=r"the quantiser's scale is fixed"):
        set_threshold(quantised.image, 1.0)


def test_calibration_takes_the_percentile(network: PFLD) -> None:
    quantised = build_quantised(network.config()).eval()
    inputs = as_tensor(smooth_images(8, 112, seed=3))
    calibrate(quantised, network, inputs, 100)
    with torch.no_grad():
        largest = network.stem(inputs).max().item()
    assert quantised.stem[1].act.act_quant.scale().item() == pytest.approx(largest / 255, rel=1e-2)
    with pytest.raises(UserError, match=r"percentile=10 is out of range; use more than 50"):
        calibrate(quantised, network, inputs, 10)


def channel_means(module: nn.Module, before: bool, seen: list[torch.Tensor]) -> RemovableHandle:
    """Collect in ``seen`` the channels' means of what goes into a module, or comes out of it."""
    if before:
        return module.register_forward_pre_hook(lambda m, x: seen.append(x[0].mean((0, 2, 3))))
    return module.register_forward_hook(lambda m, x, out: seen.append(out.mean((0, 2, 3))))


def test_bias_correction_removes_the_mean_error(network: PFLD, quantised: PFLD) -> None:
    """In the pass that corrects, what follows a layer sees the mean of the FP32 network.

    Later passes may differ: the bias is then added before another rounding, and a fake-quantised
    value that falls to the neighbouring code moves the means behind it.
    """
    inputs = as_tensor(smooth_images(16, 112, seed=4))
    wrong = copy.deepcopy(quantised)
    true, uncorrected, corrected = [], [], []
    layers = [n.stages_14[3].depthwise for n in (network, wrong)]
    norm = layers[1].norm
    with torch.no_grad():
        norm.bias += 0.2  # an error for it to find
    old = norm.bias.clone()
    handles = [
        channel_means(layers[0].act, True, true),
        channel_means(norm, False, uncorrected),
        channel_means(layers[1].act, True, corrected),
    ]
    correct_bias(wrong, network, inputs)
    for handle in handles:
        handle.remove()
    wanted = torch.stack(true).mean(0)  # of equal batches
    assert (wanted - uncorrected[0]).abs().max() > 0.1
    torch.testing.assert_close(corrected[0], wanted, rtol=0, atol=1e-5)
    torch.testing.assert_close(norm.bias - old, wanted - uncorrected[0], rtol=0, atol=1e-5)


def test_fine_tuning_lowers_the_loss_and_moves_thresholds() -> None:
    network = random_network(**SMALL)
    images = as_tensor(smooth_images(8, 32, seed=5))
    quantised = post_train(network, images)
    before = [q.act_quant.scale().item() for q in learned_quantisers(quantised).values()]
    statistics = quantised.stem[0].norm.running_mean.clone()
    losses: list[float] = []
    tuner = Tuner(quantised, Length(steps=10), rate=1e-2)
    batches = itertools.repeat((images, torch.full((8, 8), 0.5)))
    tuner.run(batches, nn.functional.l1_loss, lambda share, value: losses.append(value))
    after = [q.act_quant.scale().item() for q in learned_quantisers(quantised).values()]
    assert len(losses) == 10
    assert losses[-1] < 0.8 * losses[0]
    assert before != after
    assert not quantised.training
    assert torch.equal(statistics, quantised.stem[0].norm.running_mean)


class Stop(Exception):
    """Ends a run in the middle."""


def test_fine_tuning_resumes_to_the_same_weights(tmp_path: Path) -> None:
    images = as_tensor(smooth_images(8, 32, seed=1))
    batches = [(images.roll(i, 0)[:4], torch.full((4, 8), i / 6)) for i in range(6)]
    network = random_network(**SMALL)
    whole, first, second = (
        Tuner(post_train(network, images), Length(steps=6), rate=1e-2) for _ in range(3)
    )

    def stop(share: float, value: float) -> None:
        if share == 0.5:
            raise Stop

    whole.run(batches, nn.functional.l1_loss)
    with pytest.raises(Stop):
        first.run(batches, nn.functional.l1_loss, stop)
    torch.save(first.state(), tmp_path / "last")
    second.load(tmp_path / "last")
    second.run(batches[second.step :], nn.functional.l1_loss)
    assert second.step == 6
    expected = whole.network.state_dict()
    for name, value in second.network.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_length_of_fine_tuning() -> None:
    assert Length(steps=8).share(2, 1e6) == 0.25
    assert Length(minutes=2).share(10**6, 30) == 0.25
    assert Length(minutes=2).share(0, 999) == 1
    with pytest.raises(UserError, match=r"steps=0 is too small; use 1 or more"):
        Length(steps=0)
    with pytest.raises(UserError, match=r"minutes=-1 is not positive; use for example 20"):
        Length(minutes=-1)


def test_resuming_needs_its_file(tmp_path: Path) -> None:
    tuner = Tuner(build_quantised(SMALL), Length())
    for content in ("no file", "text"):
        with pytest.raises(UserError, match=r"last cannot be resumed from"):
            tuner.load(tmp_path / "last")
        (tmp_path / "last").write_text(content)


def test_quantised_network_survives_its_file(quantised: PFLD, tmp_path: Path) -> None:
    save_quantised(quantised, tmp_path / "int8.pt", {"stage": "ptq"})
    content = read_checkpoint(tmp_path / "int8.pt")
    assert content["made"] == {"stage": "ptq"}
    assert content["git"]
    assert "torch" in content["versions"]
    image = as_tensor(smooth_images(1, 112, seed=6))
    with torch.no_grad():
        assert torch.equal(load_quantised(tmp_path / "int8.pt")(image), quantised(image))
    assert [p.name for p in tmp_path.iterdir()] == ["int8.pt"]
    with pytest.raises(UserError, match=r"int8\.pt is quantised already"):
        load_network(tmp_path / "int8.pt")


def test_checkpoints_are_checked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no checkpoint .*missing\.pt"):
        load_network(tmp_path / "missing.pt")
    (tmp_path / "text.pt").write_text("no checkpoint")
    with pytest.raises(UserError, match=r"text\.pt is not a checkpoint of this project"):
        load_network(tmp_path / "text.pt")
    torch.save([1], tmp_path / "list.pt")
    with pytest.raises(UserError, match=r"list\.pt is not a checkpoint: it needs the keys config"):
        load_network(tmp_path / "list.pt")
    (tmp_path / "empty.pt").touch()
    with pytest.raises(UserError, match=r"empty\.pt is not a checkpoint of this project: EOFError"):
        load_network(tmp_path / "empty.pt")
    network = PFLD(**SMALL)
    torch.save({"config": network.config(), "state_dict": network.state_dict()}, tmp_path / "f.pt")
    assert load_network(tmp_path / "f.pt").config() == network.config()
    with pytest.raises(UserError, match=r"f\.pt holds an FP32 network; quantise it first"):
        load_quantised(tmp_path / "f.pt")


@pytest.mark.parametrize("kind", ["fp32", "int8"])
@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"config": {**SMALL, "width": 0.25}}, "do not fit this version or each other; train or"),
        ({"config": {**SMALL, "depth": 3}}, "unexpected keyword argument 'depth'"),
        ({"config": [1]}, "it needs the keys config and state_dict, mappings both"),
        ({"state_dict": {}}, r"Missing key\(s\) in state_dict"),
        ({"state_dict": {"stem": 1}}, r"Missing key\(s\) in state_dict"),
    ],
)
def test_checkpoints_that_do_not_fit(
    kind: str, changes: dict[str, object], text: str, tmp_path: Path
) -> None:
    build, load = (
        (build_quantised, load_quantised)
        if kind == "int8"
        else (lambda config: PFLD(**config), load_network)
    )
    network = build(SMALL)
    content = {"config": network.config(), "state_dict": network.state_dict()}
    content |= {"quantised": kind == "int8"} | changes
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(UserError, match=rf"odd\.pt.*{text}") as caught:
        load(tmp_path / "odd.pt")
    assert len(str(caught.value)) < 500
