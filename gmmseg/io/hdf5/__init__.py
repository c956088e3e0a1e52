"""Arrays in files of HDF5."""
