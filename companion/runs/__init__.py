"""The catalogue of trainings, their sizes, and the study that trains, keeps and loads them."""
