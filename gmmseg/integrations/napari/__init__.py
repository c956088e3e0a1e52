"""gmmseg in napari: widgets that segment layers, and a writer of label maps; napari finds them by napari.yaml."""
