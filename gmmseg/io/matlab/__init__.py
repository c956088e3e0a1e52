"""Arrays in files of MATLAB."""
