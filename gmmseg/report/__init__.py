"""Reports: pages to keep, each one file that shows what came out of an image or of a batch, and how."""

from gmmseg.report.of_batch import batch_report
from gmmseg.report.of_image import image_report
from gmmseg.report.page import check_page

__all__ = ["batch_report", "check_page", "image_report"]
