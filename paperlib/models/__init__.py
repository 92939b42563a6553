"""The networks of both papers, the two that R table III compares them with, and their sizes."""

from paperlib.models.error_feedback import ErrorFeedback
from paperlib.models.hourglass import StackedHourglass
from paperlib.models.pose_machine import PoseMachine
from paperlib.models.recurrent import Recurrent
from paperlib.models.sizes import conv_weights, gmacs, model_sizes, paper_rule, parameters, receptive_field

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
