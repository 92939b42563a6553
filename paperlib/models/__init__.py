"""The networks of both papers, the two that R table III compares them with, and their sizes."""

from paperlib.models.complexity import (
    conv_weights,
    gmacs,
    model_sizes,
    paper_rule,
    parameters,
    receptive_field,
)
from paperlib.models.error_feedback import ErrorFeedback
from paperlib.models.hourglass import StackedHourglass
from paperlib.models.pose_machine import PoseMachine
from paperlib.models.recurrent import Recurrent

__all__ = [
    "ErrorFeedback",
    "PoseMachine",
    "Recurrent",
    "StackedHourglass",
    "conv_weights",
    "gmacs",
    "model_sizes",
    "paper_rule",
    "parameters",
    "receptive_field",
]
