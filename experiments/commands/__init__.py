"""The commands of ``inkspeak``, one file each: plain typed functions whose signatures are their command lines."""
