"""Why a task isn't run."""

from thanos.errors import ThanosError


class NotPossibleError(ThanosError):
    """A task that can't be done with this data or this model; others may."""
