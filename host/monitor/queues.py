# SPDX-License-Identifier: Apache-2.0
"""A queue between two stages that never grows: it waits, or drops its oldest item."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Closed(Exception):
    """The other end of the queue is gone."""


class StageQueue(Generic[Item]):
    """At most ``size`` items between one thread that puts and one that gets."""

    def __init__(self, size: int, drop: bool) -> None:
        """drop: a full queue loses its oldest item; otherwise ``put`` waits for room."""
        self._items: deque[Item] = deque()
        self._size, self._drop = size, drop
        self._ended = self._aborted = self._untold = False
        self._changed = threading.Condition()
        self.dropped = 0
        """Items lost so far."""
        self.longest = 0
        """Most items that were in it at once."""

    def put(self, item: Item) -> None:
        """Add an item. Raises Closed when nobody will take it."""
        with self._changed:
            if not self._drop:
                self._changed.wait_for(lambda: self._aborted or len(self._items) < self._size)
            if self._aborted:
                raise Closed
            if len(self._items) >= self._size:
                self._items.popleft()
                self.dropped += 1
            self._items.append(item)
            self.longest = max(self.longest, len(self._items))
            self._changed.notify_all()

    def get(self, tell: bool = True) -> Item:
        """Take the oldest item, waiting for one. Raises Closed after the last.

        tell: wake whoever waits for room; otherwise ``tell_room`` must follow.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._aborted or self._ended or bool(self._items))
            if self._aborted or not self._items:
                raise Closed
            item = self._items.popleft()
            self._untold = not tell
            if tell:
                self._changed.notify_all()
            return item

    def tell_room(self) -> None:
        """Wake whoever waits for room, after a ``get`` that did not."""
        with self._changed:
            if self._untold:
                self._untold = False
                self._changed.notify_all()

    def empty(self) -> bool:
        """True if ``get`` would wait now."""
        with self._changed:
            return not self._items

    def end(self) -> None:
        """No more items will come; those inside can still be taken."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def abort(self) -> None:
        """Forget the items and wake both ends."""
        with self._changed:
            self._aborted = True
            self._items.clear()
            self._changed.notify_all()
