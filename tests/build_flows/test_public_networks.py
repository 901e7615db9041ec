# SPDX-License-Identifier: Apache-2.0
"""Small networks after well-known ones: their graphs of kernels equal the files, or a refusal."""

import pytest
from qonnx.core.modelwrapper import ModelWrapper

from build_flows.new import smooth_images
from host.common.errors import UserError
from tests.build_flows.networks import equal_to_the_file
from tests.build_flows.public_networks import NETWORKS, export

REFUSED = {  # name -> why, in the words of the refusal
    "squeeze_excite": "Mul of data by data has no kernel; train the network without",
    "relu_per_channel": "takes a tensor with a scale for each channel; put a quantiser with",
    "shifted_padded": "pads a tensor whose zero is no integer zero; put a quantiser without",
    "bilinear": "layer 4, Resize_0: mode='linear', .* use nearest upsampling of height and width",
    "group_norm": "no kernel for InstanceNormalization; use nn.BatchNorm2d",
    "norm_before_conv": "Conv_1 takes a tensor with a scale for each channel; put a quantiser",
    "float_head": "Gemm_0 has no quantised constant weights; use QuantConv2d, QuantLinear or",
    "softmax": "no kernel for Softmax; use the network without it, and softmax on the host",
    "layerwise": "takes what an activation gives without a quantiser; put a QuantReLU or",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_well_known_networks(name, tmp_path):
    model = ModelWrapper(str(export(name, tmp_path)))
    channels, height, width = (*NETWORKS[name][1], 1, 1)[:3]
    images = smooth_images((height, width, channels), 2, seed=1).transpose(0, 3, 1, 2)
    images = images.reshape(2, *NETWORKS[name][1])
    if name in REFUSED:
        with pytest.raises(UserError, match=REFUSED[name]):
            equal_to_the_file(model, images)
    else:
        equal_to_the_file(model, images, lively=False)
