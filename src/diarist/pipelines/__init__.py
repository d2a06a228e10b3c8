"""The whole job, wherever its engines are: a recording in, a transcript out."""
