"""The one button that mends an error."""

from __future__ import annotations

from typing import Final

from napari_her2._qt.texts import ui

__all__ = ["mend_of"]

_MENDS: Final[dict[str, tuple[str, str]]] = {
    "no_slide": ("open", "open_slide"),
    "not_found": ("open", "open_slide"),
    "no_mpp": ("mpp", "enter_mpp"),
    "no_mpp_cli": ("mpp", "enter_mpp"),
    "wrong_stain": ("stain", "run_anyway"),
    "not_trusted": ("trust", "trust_run"),
    "no_model": ("models", "models_button"),
    "unknown_model": ("models", "models_button"),
    "no_tissue": ("tissue", "show_tissue"),
    "disk": ("resume", "resume"),
}
"""By message id: id of the remedy and id of its text."""


_NO_REMEDY: Final = (
    "usage", "breast_rule_on_gea", "gea_rule_on_breast", "rule_specimen", "unknown_rule",
)  # fmt: skip
"""The form is at fault, and the sentence says where."""


def mend_of(error: BaseException | None) -> tuple[str, str] | None:
    """The remedy of an error.

    Parameters
    ----------
    error : BaseException or None
        What happened.

    Returns
    -------
    (id, text) or None
        What the button does and what it says; None where nothing in the dock can mend it.
    """
    message_id = getattr(error, "message_id", None)
    if message_id in _NO_REMEDY:
        return None
    remedy, text = _MENDS.get(str(message_id), ("retry", "try_again"))
    return remedy, ui(text)
