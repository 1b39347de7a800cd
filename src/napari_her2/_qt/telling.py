"""How errors are told in the window."""

from __future__ import annotations

from napari_her2._qt.texts import ui
from napari_her2.errors import Her2Error
from napari_her2.settings import LOGGER

__all__ = ["sentence_of", "tell"]


def sentence_of(error: BaseException) -> str:
    """What to show for an error: its sentence, or that it was not expected."""
    if isinstance(error, Her2Error):
        return error.sentence
    return ui("unexpected", kind=type(error).__name__)


def tell(error: BaseException) -> None:
    """Show an error as napari shows errors: expected ones as a sentence, others with traceback."""
    from napari.utils.notifications import notification_manager, show_error

    if isinstance(error, Her2Error):
        show_error(error.sentence)
    else:
        LOGGER.error("unexpected error", exc_info=error)
        notification_manager.receive_error(type(error), error, error.__traceback__)
