"""The version of the mathematics: a stored result is used as long as it would come out the same.

A run's identity is its settings, its data and `TRAINING`; kept predictions carry `PREDICTION` too.
Golden tests (tests/test_mathematics.py) train and predict with every network, codec and loss: a
change that moves their numbers fails there until the number here is raised, and a renamed variable
or a new option whose default changes nothing costs no training.
"""

TRAINING = 1  # raise it when the same settings and people would train other weights
PREDICTION = 1  # raise it when the same weights would predict otherwise
