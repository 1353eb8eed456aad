"""Reviews for categories that hardly occur: written by templates or an LLM, and sifted.

They are for training alone. Their ids begin with :data:`~training.data.files.SYNTHETIC`, and
whatever measures or calibrates refuses them.
"""
