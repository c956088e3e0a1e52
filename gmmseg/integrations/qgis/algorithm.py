"""Algorithms of QGIS Processing: widgets of what the catalogue lists, the command, and layers that are shown."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from processing.core.ProcessingConfig import ProcessingConfig
from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsFeatureRequest,
    QgsMapLayer,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorDestination,
    QgsRasterLayer,
    QgsRendererCategory,
    QgsSymbol,
    QgsVectorLayer,
)
from qgis.utils import iface

from .catalogue import Algorithm, Parameter
from .program import CancelledError, FailedError, Listener, clean_environment, find, run

__all__ = ["SETTING", "CommandAlgorithm"]

SETTING = "GMMSEG_PROGRAM"
"""Name of the setting that holds the program's path."""


class CommandAlgorithm(QgsProcessingAlgorithm):
    """One entry of the catalogue."""

    def __init__(self, described: Algorithm) -> None:
        super().__init__()
        self._described = described

    def createInstance(self) -> CommandAlgorithm:
        """Return another one, as QGIS has one for each run."""
        return CommandAlgorithm(self._described)

    def name(self) -> str:
        """Return what scripts write."""
        return self._described.name

    def displayName(self) -> str:
        """Return what a person reads."""
        return self._described.title

    def shortHelpString(self) -> str:
        """Return what is shown beside the parameters."""
        return self._described.help

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Add parameters and outputs."""
        for each in self._described.parameters:
            self.addParameter(_definition(each))
        for name, _ in self._described.answer:
            self.addOutput(QgsProcessingOutputNumber(name, name))

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the command, and return what it wrote."""
        values = {each.name: self._value(each, parameters, context) for each in self._described.parameters}
        values = {name: value for name, value in values.items() if value is not None}
        environment = clean_environment(os.environ)
        try:
            command = [find(ProcessingConfig.getSetting(SETTING) or "", environment)]
            command += self._described.arguments(values)
            feedback.pushCommandInfo(" ".join(command))
            listener = _Feedback(feedback)
            printed = run(command, environment, listener)
        except CancelledError:
            return {}
        except FailedError as error:
            raise QgsProcessingException(str(error)) from None
        outputs = [each.name for each in self._described.parameters if each.is_output]
        results = {name: values[name] for name in outputs if name in values}
        if self._described.answer:
            answer = json.loads(printed)
            results.update({name: answer[key] for name, key in self._described.answer})
            feedback.pushInfo(answer.get("reason", ""))
        else:
            feedback.pushInfo(printed)
        for name, show in self._shown(values).items():
            if context.willLoadLayerOnCompletion(values[name]):
                _STYLINGS.append(_Styling(show, listener.warned))
                context.layerToLoadOnCompletionDetails(values[name]).setPostProcessor(_STYLINGS[-1])
        return results

    def _value(self, each: Parameter, parameters: dict[str, Any], context: QgsProcessingContext) -> Any:
        """Return the value of a parameter as the command takes it; None where it is left out."""
        if parameters.get(each.name) is None and each.default is None:
            return None
        if each.kind == "raster":
            return _file_of(self.parameterAsRasterLayer(parameters, each.name, context), each)
        if each.kind == "rasters":
            layers = self.parameterAsLayerList(parameters, each.name, context)
            return [_file_of(layer, each) for layer in layers]
        if each.kind == "file out":
            return self.parameterAsFileOutput(parameters, each.name, context) or None
        if each.is_output:
            return self.parameterAsOutputLayer(parameters, each.name, context) or None
        if each.kind == "choice":
            return each.choices[self.parameterAsEnum(parameters, each.name, context)]
        if each.kind == "flag":
            return self.parameterAsBoolean(parameters, each.name, context)
        if each.kind == "whole":
            return self.parameterAsInt(parameters, each.name, context)
        if each.kind == "number":
            return self.parameterAsDouble(parameters, each.name, context)
        return self.parameterAsString(parameters, each.name, context)

    def _shown(self, values: dict[str, Any]) -> dict[str, Callable[[Any], None]]:
        """Return by outputs what shows their classes in colours and by names, which Processing does not by itself."""
        style = self._described.style_of(values)
        shown: dict[str, Callable[[Any], None]] = {}
        if style is not None:
            shown[self._described.style] = lambda layer: layer.loadNamedStyle(str(style))
        for each in self._described.parameters:
            if each.kind == "vector out" and each.name in values:
                shown[each.name] = lambda layer: _color_polygons(layer, values["LABELS"])
        return shown


class _Styling(QgsProcessingLayerPostProcessorInterface):
    """Shows a layer's classes when it is loaded, and says there what they are to be doubted for."""

    def __init__(self, show: Callable[[Any], None], warned: list[str]) -> None:
        super().__init__()
        self._show, self._warned = show, warned

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        """Show the classes; warnings stand above the map, until they are read, and among the facts of the layer."""
        self._show(layer)
        if self._warned:
            facts = layer.metadata()
            facts.setAbstract("\n".join(self._warned))
            layer.setMetadata(facts)
            if iface is not None:  # there is no window where a script runs the algorithm
                iface.messageBar().pushWarning("gmmseg", "; ".join(self._warned))
        layer.triggerRepaint()


def _color_polygons(layer: QgsVectorLayer, labels: str) -> None:
    """Give polygons the colours that their classes have in the raster that they were made of, where it has colours."""
    raster = QgsRasterLayer(labels)  # what it provides goes with it
    colors = {each.value: each.color for each in raster.dataProvider().colorTable(1)} if raster.isValid() else {}
    request = QgsFeatureRequest().setFlags(QgsFeatureRequest.NoGeometry)
    names = {each["label"]: each["class"] for each in layer.getFeatures(request)}
    if not names or not names.keys() <= colors.keys():
        return
    categories = []
    for label, name in sorted(names.items()):
        symbol = QgsSymbol.defaultSymbol(layer.geometryType())
        symbol.setColor(colors[label])
        categories.append(QgsRendererCategory(label, symbol, name))
    layer.setRenderer(QgsCategorizedSymbolRenderer("label", categories))


_STYLINGS: list[_Styling] = []  # QGIS keeps none, and asks them when the algorithm is gone already


class _Feedback(Listener):
    """Passes on what the program says to the window of QGIS."""

    def __init__(self, feedback: QgsProcessingFeedback) -> None:
        self._feedback = feedback
        self.warned: list[str] = []

    def is_cancelled(self) -> bool:
        return bool(self._feedback.isCanceled())

    def stage(self, text: str) -> None:
        self._feedback.setProgressText(text)

    def share(self, percent: float) -> None:
        self._feedback.setProgress(percent)

    def warn(self, text: str) -> None:
        self.warned.append(text)
        self._feedback.pushWarning(text)


def _definition(each: Parameter) -> QgsProcessingParameterDefinition:
    """Return a parameter of QGIS."""
    makers = {
        "raster": lambda: QgsProcessingParameterRasterLayer(each.name, each.label),
        "rasters": lambda: QgsProcessingParameterMultipleLayers(each.name, each.label, QgsProcessing.TypeRaster),
        "file": lambda: QgsProcessingParameterFile(each.name, each.label, fileFilter=each.files),
        "text": lambda: QgsProcessingParameterString(each.name, each.label, each.default),
        "choice": lambda: QgsProcessingParameterEnum(
            each.name, each.label, each.choices, defaultValue=each.choices.index(each.default)
        ),
        "flag": lambda: QgsProcessingParameterBoolean(each.name, each.label, each.default),
        "whole": lambda: _number(each, QgsProcessingParameterNumber.Integer),
        "number": lambda: _number(each, QgsProcessingParameterNumber.Double),
        "raster out": lambda: QgsProcessingParameterRasterDestination(
            each.name, each.label, createByDefault=not each.optional
        ),
        "vector out": lambda: QgsProcessingParameterVectorDestination(each.name, each.label),
        "file out": lambda: QgsProcessingParameterFileDestination(
            each.name, each.label, each.files, createByDefault=not each.optional
        ),
    }
    made = makers[each.kind]()
    flags = made.flags()
    if each.optional:
        flags |= QgsProcessingParameterDefinition.FlagOptional
    if each.advanced:
        flags |= QgsProcessingParameterDefinition.FlagAdvanced
    made.setFlags(flags)
    return made


def _number(each: Parameter, kind: Any) -> QgsProcessingParameterNumber:
    made = QgsProcessingParameterNumber(each.name, each.label, kind, each.default, each.optional)
    if each.least is not None:
        made.setMinimum(each.least)
    if each.most is not None:
        made.setMaximum(each.most)
    return made


def _file_of(layer: QgsMapLayer | None, each: Parameter) -> str:
    """Return the file that a layer shows."""
    if layer is None:
        raise QgsProcessingException(f"{each.label}: there is no such layer or file; choose another one")
    if layer.providerType() != "gdal":
        raise QgsProcessingException(
            f"{each.label}: {layer.name()} is of the kind {layer.providerType()}, not a file; save it as one first"
        )
    return str(layer.source()).partition("|")[0].replace('"', "")
