"""Everything that is looked at: pictures, curves, diagrams and widgets. Each figure is a function of stored numbers alone."""
