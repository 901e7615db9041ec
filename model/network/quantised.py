# SPDX-License-Identifier: Apache-2.0
"""The quantised network: the definition of :mod:`model.network.pfld` with Brevitas layers.

Number format: the camera byte enters at the fixed scale 1/255; rectified tensors are unsigned, all
others signed with the full range, one learned scale a tensor; weights are signed in the narrow
range, -127..127 of 8 bits, with one scale an output channel; every zero point is 0. All have 8 bits
unless :class:`QuantLayers` is asked for fewer. The bias of the fully connected layer stays in
floating point because the host adds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from brevitas.core.scaling import ParameterScaling
from brevitas.inject.enum import RestrictValueType, ScalingImplType
from brevitas.nn import QuantConv2d, QuantIdentity, QuantLinear, QuantReLU
from brevitas.quant import (
    Int8ActPerTensorFloat,
    Int8WeightPerChannelFloat,
    Uint8ActPerTensorFloat,
)
from torch import Tensor, nn

from host.common.errors import UserError
from model.network.pfld import PFLD, Layers


class _CameraByte(Uint8ActPerTensorFloat):
    """UINT8 of fixed scale: the threshold 1.0 falls on byte 255."""

    scaling_impl_type = ScalingImplType.CONST
    scaling_init = 1.0


class _Unsigned(Uint8ActPerTensorFloat):
    """Unsigned, with a learned threshold that calibration sets."""

    scaling_impl_type = ScalingImplType.PARAMETER
    restrict_scaling_type = RestrictValueType.LOG_FP
    scaling_init = 1.0


class _Signed(Int8ActPerTensorFloat):
    """Signed, the whole range, with a learned threshold that calibration sets."""

    scaling_impl_type = ScalingImplType.PARAMETER
    restrict_scaling_type = RestrictValueType.LOG_FP
    scaling_init = 1.0


@dataclass(frozen=True, kw_only=True)
class QuantLayers(Layers):
    """Building blocks of the quantised network; tensors between them are plain."""

    weight_bits: int = 8
    """Of every weight, 2 to 8."""
    activation_bits: int = 8
    """Of every activation behind the image, 2 to 8."""

    def __post_init__(self) -> None:
        for name, bits in asdict(self).items():
            if not 2 <= bits <= 8:
                raise UserError(f"{name}={bits}; use 2 to 8")

    def image(self) -> nn.Module:
        """Quantiser of the camera byte."""
        return QuantIdentity(act_quant=_CameraByte)

    def conv(
        self, inputs: int, outputs: int, kernel: int, stride: int, padding: int, groups: int
    ) -> nn.Module:
        """Convolution with signed weights."""
        return QuantConv2d(
            inputs,
            outputs,
            kernel,
            stride,
            padding,
            groups=groups,
            bias=False,
            weight_quant=Int8WeightPerChannelFloat,
            weight_bit_width=self.weight_bits,
        )

    def relu(self) -> nn.Module:
        """Rectifier with unsigned result."""
        return QuantReLU(act_quant=_Unsigned, bit_width=self.activation_bits)

    def linear(self) -> nn.Module:
        """Signed quantiser."""
        return QuantIdentity(act_quant=_Signed, bit_width=self.activation_bits)

    def fully_connected(self, inputs: int, outputs: int) -> nn.Module:
        """Matrix product with signed weights and a floating-point bias."""
        return QuantLinear(inputs, outputs, bias=True, weight_quant=Int8WeightPerChannelFloat,
                           weight_bit_width=self.weight_bits)  # fmt: skip

    def cells(self, inputs: int, outputs: int) -> nn.Module:
        """1x1 convolution with signed weights and a floating-point bias, which the host adds."""
        return QuantConv2d(inputs, outputs, 1, bias=True, weight_quant=Int8WeightPerChannelFloat,
                           weight_bit_width=self.weight_bits)  # fmt: skip


def build_quantised(config: Mapping[str, Any], layers: QuantLayers | None = None) -> PFLD:
    """Quantised form of ``PFLD(**config)``, without pose branch; all thresholds are 1."""
    return PFLD(**config, layers=layers or QuantLayers(), pose_branch=False)


def load_float(quantised: PFLD, state: Mapping[str, Tensor]) -> None:
    """Copy the weights of an FP32 state dict into the quantised network by name; thresholds stay.

    Entries of the pose branch are ignored. UserError when a weight is missing or has another shape.
    """
    wanted = dict(PFLD(**quantised.config(), pose_branch=False).state_dict())
    for name, tensor in wanted.items():
        if name not in state:
            raise UserError(f"the checkpoint has no {name}; it is not of this network")
        if state[name].shape != tensor.shape:
            raise UserError(
                f"{name} of the checkpoint has shape {tuple(state[name].shape)}, the network of "
                f"its config needs {tuple(tensor.shape)}"
            )
    quantised.load_state_dict({n: state[n] for n in wanted}, strict=False)


def learned_quantisers(quantised: PFLD) -> dict[str, nn.Module]:
    """Activation modules with a learned threshold, each once, by its first name in the network."""
    kinds = (QuantReLU, QuantIdentity)
    found = {n: m for n, m in quantised.named_modules() if isinstance(m, kinds)}
    return {n: m for n, m in found.items() if _threshold(m) is not None}


def set_threshold(quantiser: nn.Module, threshold: float) -> None:
    """Set the largest value that ``quantiser`` represents (255 or 128 steps away from zero)."""
    scaling = _threshold(quantiser)
    if scaling is None or not threshold > 0:
        raise UserError(f"threshold {threshold} is not positive, or the quantiser's scale is fixed")
    with torch.no_grad():
        scaling.value.copy_(torch.log2(torch.tensor(threshold)))


def _threshold(quantiser: nn.Module) -> ParameterScaling | None:
    """The module that holds the learned threshold; None where it is fixed."""
    scaling = quantiser.act_quant.fused_activation_quant_proxy.tensor_quant.scaling_impl
    return scaling if isinstance(scaling, ParameterScaling) else None
