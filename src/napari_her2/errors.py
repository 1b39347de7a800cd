"""Errors a user can cause or mend: each carries one sentence and an exit code.

Each class is also the builtin it specialises, so that code which knows nothing of this package
still catches what it expects. Anything else that escapes is a programming error and keeps its
traceback.
"""

from __future__ import annotations

from typing import ClassVar

from napari_her2.messages import tr

__all__ = [
    "AnnotationsBusyError",
    "BadAnnotationsError",
    "BadLabelSetError",
    "BadModelError",
    "BadRegionError",
    "BadSchemaError",
    "CannotTrainError",
    "CannotWriteError",
    "DiskFullError",
    "Her2Error",
    "MissingExtraError",
    "ModelIntegrityError",
    "ModelNotFoundError",
    "ModelNotTrustedError",
    "NoTissueError",
    "NotASlideError",
    "RunBusyError",
    "RunDamagedError",
    "SchedulerError",
    "SlideChangedError",
    "SlideNotFoundError",
    "SlideTooLargeError",
    "StainMismatchError",
    "TileReadError",
    "TooLittleMemoryError",
    "UnknownMppError",
    "UsageError",
    "WrongMppError",
]


class Her2Error(Exception):
    """Base of all expected errors: one sentence for the user, no traceback.

    Parameters
    ----------
    message_id : str
        A key of :data:`napari_her2.messages.MESSAGES`.
    **slots : object
        Values for the sentence's slots.

    Attributes
    ----------
    exit_code : int
        What the command line exits with: 2 wrong usage, 3 bad input, 4 a needed choice is missing.
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, message_id: str, /, **slots: object) -> None:
        super().__init__(tr(message_id, **slots))
        self.message_id = message_id
        self.slots = slots

    @property
    def sentence(self) -> str:
        """The sentence to show."""
        return str(self.args[0])

    def __str__(self) -> str:
        return self.sentence

    def __reduce__(self) -> tuple[object, ...]:
        # Errors travel back from worker processes; keyword slots need help to be pickled.
        return (_rebuild, (type(self), self.message_id, self.slots))


def _rebuild(cls: type[Her2Error], message_id: str, slots: dict[str, object]) -> Her2Error:
    return cls(message_id, **slots)


class UsageError(Her2Error, ValueError):
    """The command or call makes no sense as given."""

    exit_code = 2


class SlideNotFoundError(Her2Error, FileNotFoundError):
    """The slide file is not there."""


class NotASlideError(Her2Error, ValueError):
    """The file is no slide, or one too damaged to open."""


class SlideTooLargeError(Her2Error, ValueError):
    """The header asks for more memory than is reasonable; refused before any allocation."""


class TileReadError(Her2Error, OSError):
    """A part of a slide could not be read. Never replaced by white pixels."""


class SlideChangedError(Her2Error, OSError):
    """The slide file was replaced while it was being read."""


class BadRegionError(Her2Error, ValueError):
    """A region, level or associated image that the slide does not have."""


class UnknownMppError(Her2Error, ValueError):
    """The pixel size is unknown and has to be given; it is never guessed."""

    exit_code = 4


class StainMismatchError(Her2Error, ValueError):
    """The slide's stain is not the one the model was made for."""

    exit_code = 4


class WrongMppError(Her2Error, ValueError):
    """The slide is coarser than the model needs."""


class ModelNotFoundError(Her2Error, LookupError):
    """No such model is installed."""


class ModelNotTrustedError(Her2Error, PermissionError):
    """The model holds program code that the user has not trusted yet."""

    exit_code = 4


class ModelIntegrityError(Her2Error, ValueError):
    """Weights do not match the card."""


class BadModelError(Her2Error, ValueError):
    """A card or weights file that can't be used."""


class NoTissueError(Her2Error, ValueError):
    """No tissue where some was needed."""


class TooLittleMemoryError(Her2Error, MemoryError):
    """Not even one tile fits into memory."""


class DiskFullError(Her2Error, OSError):
    """The disk is full; what was done is kept."""


class CannotWriteError(Her2Error, OSError):
    """A file or folder can't be written."""


class RunBusyError(Her2Error, OSError):
    """Another process is writing the same run.

    Attributes
    ----------
    since : str
        Since when, as the holder wrote it; empty where it is not known.
    """

    since: str = ""


class RunDamagedError(Her2Error, OSError):
    """A stored run fails its checksums."""


class SchedulerError(Her2Error, ConnectionError):
    """The dask scheduler is unreachable or not protected."""

    exit_code = 4


class MissingExtraError(Her2Error, ImportError):
    """An optional package is needed for this."""

    exit_code = 4


class BadSchemaError(Her2Error, ValueError):
    """A class schema can't be read or contradicts itself."""


class BadAnnotationsError(Her2Error, ValueError):
    """A file of annotations can't be read, or belongs to another slide."""


class AnnotationsBusyError(Her2Error, OSError):
    """Somebody else has the annotations of this slide open, or changed them meanwhile."""


class BadLabelSetError(Her2Error, ValueError):
    """A label set can't be made or read as asked."""


class CannotTrainError(Her2Error, ValueError):
    """Training or evaluation makes no sense with these labels."""
