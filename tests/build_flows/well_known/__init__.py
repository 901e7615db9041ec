# SPDX-License-Identifier: Apache-2.0
"""Networks that users of FINN and Brevitas know, smaller, written after their descriptions.

The topologies are those of the examples that come with FINN and Brevitas and of MLPerf Tiny, and of
networks that people ask for; none of their code is here. Weights are random, statistics come from
data. One file a family; ``python -m tests.build_flows.public_networks`` exports them all.
"""
