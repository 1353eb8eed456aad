"""The model as it serves: its folder, classifier and decision; announced ones: signature and trial."""
