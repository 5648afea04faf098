"""How long to wait before a process that died is started again. Pure."""

from __future__ import annotations

from dataclasses import dataclass

_LONGEST = 30.0
_HEALTHY_AFTER = 60.0


@dataclass
class Restarts:
    """The pause in seconds before the next restart: ``shortest`` at first, twice as long each time that one dies soon."""

    shortest: float
    pause: float = 0.0

    def after(self, lived: float) -> float:
        """The pause before the restart of a process that lived for so many seconds."""
        self.pause = self.shortest if lived > _HEALTHY_AFTER else min(max(2 * self.pause, self.shortest), _LONGEST)
        return self.pause
