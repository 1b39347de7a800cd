"""Results as people read them: words, pictures, and one self-contained page per slide."""
