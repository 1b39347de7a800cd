"""Files of other tools, one module for each format.

What they have in common is in four modules: :mod:`~napari_her2.annotations.formats.outcome` (what
an import or export yields), :mod:`~napari_her2.annotations.formats.limits` (how large a file may
be), :mod:`~napari_her2.annotations.formats.intake` (what is left out or repaired is counted, never
lost without a word) and :mod:`~napari_her2.annotations.formats.sniffing` (which format it is).
"""
