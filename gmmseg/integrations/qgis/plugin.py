"""The plugin and its provider: what QGIS asks for the algorithms of `gmmseg.integrations.qgis.catalogue`."""

from __future__ import annotations

from processing.core.ProcessingConfig import ProcessingConfig, Setting
from qgis.core import QgsApplication, QgsProcessingProvider

from .algorithm import SETTING, CommandAlgorithm
from .catalogue import ALGORITHMS

__all__ = ["Plugin", "Provider"]


class Provider(QgsProcessingProvider):
    """The algorithms, and the setting that says where the program is."""

    def load(self) -> bool:
        """Add the setting and the algorithms."""
        described = "Program (empty: gmmseg on PATH or in ~/.local/bin)"
        ProcessingConfig.addSetting(Setting(self.name(), SETTING, described, "", valuetype=Setting.FILE))
        ProcessingConfig.readSettings()
        self.refreshAlgorithms()
        return True

    def unload(self) -> None:
        """Remove the setting."""
        ProcessingConfig.removeSetting(SETTING)

    def id(self) -> str:
        """Return what scripts write before the colon."""
        return "gmmseg"

    def name(self) -> str:
        """Return what a person reads."""
        return "gmmseg"

    def longName(self) -> str:
        """Return what a person reads where there is room."""
        return "gmmseg: segmentation with Gaussian mixtures"

    def supportedOutputRasterLayerExtensions(self) -> list[str]:
        """Return what label maps are written to; without it QGIS offers all that its own GDAL writes."""
        return ["tif", "png"]

    def supportedOutputVectorLayerExtensions(self) -> list[str]:
        """Return what polygons are written to."""
        return ["gpkg", "geojson"]

    def supportsNonFileBasedOutput(self) -> bool:
        """Whether databases can be written to."""
        return False

    def loadAlgorithms(self) -> None:
        """Add all of the catalogue."""
        for each in ALGORITHMS:
            self.addAlgorithm(CommandAlgorithm(each))


class Plugin:
    """What QGIS loads and unloads, with a window and without."""

    def __init__(self) -> None:
        self._provider: Provider | None = None

    def initProcessing(self) -> None:
        """Add the provider."""
        self._provider = Provider()
        QgsApplication.processingRegistry().addProvider(self._provider)

    def initGui(self) -> None:
        """Add the provider where there is a window, which shows nothing else of the plugin."""
        self.initProcessing()

    def unload(self) -> None:
        """Take the provider away."""
        QgsApplication.processingRegistry().removeProvider(self._provider)
