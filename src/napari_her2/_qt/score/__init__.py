"""The Score HER2 IHC dock."""
