# SPDX-License-Identifier: Apache-2.0
# @{generated}
# Synthesis refuses variables of more than 1,000,000 bits (Synth 8-4556) unless this is set.
set_param synth.elaboration.rodinMoreOptions "rt::set_parameter var_size_limit @{variable_limit}"
