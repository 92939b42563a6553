"""Notebooks run headlessly, their runs trained first; plans and the pace of this machine."""
