# SPDX-License-Identifier: Apache-2.0
"""From a picture to 98 landmarks, and what follows from them: pose, error, drawing."""
