"""Pages for people: an evaluation, a user study and training runs, as HTML files that ask nothing of a network."""
