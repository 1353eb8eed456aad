"""Auto-labelling: many raw reviews, few labels, little money.

A *labeller* turns texts into :class:`~training.labelling.votes.Votes`: per text a distribution over
the categories, or nothing (it abstains), and a reason that a person can read. Cheap labellers
go first; what they are not confidently agreed on goes to a dearer one, or to people.
"""
