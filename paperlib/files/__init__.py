"""Other people's files of points: any table, array or JSON in, joints by name out."""
