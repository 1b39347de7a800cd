"""What people draw on slides: classes, regions, edits that can be undone, files of other tools."""
