"""Learning from labelled and unlabelled pictures: one paper idea, one file."""
