"""The Predict ER/PR/HER2 dock."""
