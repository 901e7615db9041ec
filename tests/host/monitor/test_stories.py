# SPDX-License-Identifier: Apache-2.0
"""Every story at every frame rate: what must be alarmed is, in time, and nothing else."""

import pytest

from tests.host.monitor.stories import RATES, tell
from tests.host.monitor.story_book import STORIES


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_story(story, rate):
    assert tell(story, rate).problems() == []


def test_names_are_unique():
    assert len({story.name for story in STORIES}) == len(STORIES)
