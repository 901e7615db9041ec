# SPDX-License-Identifier: Apache-2.0
# @{generated}
# Synthesis refuses variables of more than 1,000,000 bits (Synth 8-4556) unless this is set.
set_param synth.elaboration.rodinMoreOptions "rt::set_parameter var_size_limit @{variable_limit}"
# A memory whose file is not found would be empty, after a mere warning.
set_msg_config -id {Synth 8-4445} -new_severity ERROR
