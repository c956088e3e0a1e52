"""An algorithm of QGIS that runs those of the plugin one after the other; the tests put it among QGIS's scripts."""

import json
import os
from pathlib import Path

import processing
from qgis.core import (
    QgsApplication,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingParameterFile,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)


def classes_of(path, *, style=True):
    """How many classes QGIS shows of a label map, and their names."""
    options = QgsRasterLayer.LayerOptions()
    options.loadDefaultStyle = style
    layer = QgsRasterLayer(str(path), "labels", "gdal", options)
    return layer, [each.label for each in layer.renderer().classes()]


class WithinQgis(QgsProcessingAlgorithm):
    def createInstance(self):
        return WithinQgis()

    def name(self):
        return "withinqgis"

    displayName = name

    def initAlgorithm(self, configuration=None):
        self.addParameter(QgsProcessingParameterFile("FOLDER", "Folder", QgsProcessingParameterFile.Folder))

    def processAlgorithm(self, parameters, context, feedback):
        folder = Path(parameters["FOLDER"])
        scene, labels, model = (str(folder / name) for name in ("scene.tif", "labels.tif", "model.json"))
        os.environ["PYTHONPATH"] = str(folder / "nothing")

        def run(name, **values):
            return processing.run(f"gmmseg:{name}", values, context=context, feedback=feedback, is_child_algorithm=True)

        found = {"k": run("choosek", INPUT=scene, MAX_K=3)["K"]}
        run("fit", INPUTS=[scene, scene], K="3", NAMES="water,field,town", OUTPUT=model)

        algorithm = QgsApplication.processingRegistry().algorithmById("gmmseg:apply")
        loading = QgsProcessingContext()
        loading.setProject(QgsProject.instance())
        output = QgsProcessingOutputLayerDefinition(labels, QgsProject.instance())
        found["applied"] = algorithm.run({"MODEL": model, "INPUT": scene, "OUTPUT": output}, loading, feedback)[1]
        layer, plain = classes_of(labels, style=False)
        loading.layersToLoadOnCompletion()[labels].postProcessor().postProcessLayer(layer, loading, feedback)
        found["unstyled"] = len(plain)
        found["shown"] = [each.label for each in layer.renderer().classes()]
        found["opened"] = classes_of(labels)[1]

        measured = run("measure", LABELS=labels, IMAGE=scene, OUTPUT=str(folder / "table.csv"))["OUTPUT"]
        found["table"] = Path(measured).read_text(encoding="utf-8").splitlines()
        run("regions", INPUT=scene, NUMBER=4, CHANNELS="1,2,3", OUTPUT=str(folder / "regions.tif"))
        polygons = str(folder / "polygons.gpkg")
        algorithm = QgsApplication.processingRegistry().algorithmById("gmmseg:export")
        output = QgsProcessingOutputLayerDefinition(polygons, QgsProject.instance())
        found["exported"] = algorithm.run({"LABELS": labels, "OUTPUT": output}, loading, feedback)[1]
        layer = QgsVectorLayer(polygons, "polygons", "ogr")
        found["polygons"] = [layer.crs().authid(), sorted({each["class"] for each in layer.getFeatures()})]
        loading.layersToLoadOnCompletion()[polygons].postProcessor().postProcessLayer(layer, loading, feedback)
        found["colors"] = [[each.label(), each.symbol().color().name()] for each in layer.renderer().categories()]
        provider = QgsApplication.processingRegistry().providerById("gmmseg")
        found["written"] = [provider.defaultRasterFileExtension(), *provider.supportedOutputVectorLayerExtensions()]

        try:
            run("segment", INPUT=scene, K="many", OUTPUT=str(folder / "wrong.tif"))
        except QgsProcessingException as error:
            found["error"] = str(error)
        cancelled = QgsProcessingFeedback()
        cancelled.cancel()
        segment = QgsApplication.processingRegistry().algorithmById("gmmseg:segment")
        segment.run({"INPUT": scene, "OUTPUT": str(folder / "cancelled.tif")}, context, cancelled)
        (folder / "found.json").write_text(json.dumps(found), encoding="utf-8")
        return {}
