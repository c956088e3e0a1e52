"""Algorithms of the plugin where there is no QGIS: classes that stand in for its own hear what they are told."""

import importlib
import sys
from types import ModuleType, SimpleNamespace

import pytest

from gmmseg.integrations.qgis.catalogue import ALGORITHMS


class Definition:
    """Any parameter of QGIS: it remembers what it was made of."""

    FlagOptional, FlagAdvanced, Integer, Double = 1, 2, "integer", "double"

    def __init__(self, name, label, *more, **named):
        self.made, self.set, self.name = (name, label, *more, *named.values()), {}, name

    def flags(self):
        return 0

    def setFlags(self, flags):
        self.set["flags"] = flags

    def setMinimum(self, least):
        self.set["least"] = least

    def setMaximum(self, most):
        self.set["most"] = most


class ProcessingAlgorithm:
    """The base class: values are what scripts give."""

    def __init__(self):
        self.defined = []

    def addParameter(self, each):
        self.defined.append(each)

    addOutput = addParameter

    def _as_given(self, parameters, name, context):
        return parameters.get(name)

    parameterAsRasterLayer = parameterAsLayerList = parameterAsFileOutput = parameterAsOutputLayer = _as_given
    parameterAsEnum = parameterAsBoolean = parameterAsInt = parameterAsDouble = parameterAsString = _as_given


class Layer:
    def __init__(self, source, kind="gdal"):
        self.source, self.providerType, self.name = (lambda: source), (lambda: kind), (lambda: "roads")


class Feedback:
    def __init__(self):
        self.heard = []

    def isCanceled(self):
        return "cancel" in self.heard

    def __getattr__(self, name):
        return lambda text: self.heard.append((name, text))


@pytest.fixture
def plugin(monkeypatch):
    """The module, with classes of this file in the place of QGIS's."""
    core, config = ModuleType("qgis.core"), ModuleType("processing.core.ProcessingConfig")
    core.__getattr__ = lambda name: (
        type(name, (Exception,), {})
        if "Exception" in name
        else Definition
        if "Parameter" in name
        else type(name, (), {})
    )
    core.QgsProcessing = SimpleNamespace(TypeRaster=3)
    core.QgsProcessingException = type("QgsProcessingException", (Exception,), {})
    core.QgsProcessingAlgorithm = ProcessingAlgorithm
    core.QgsProcessingOutputNumber = Definition
    config.ProcessingConfig = SimpleNamespace(getSetting=lambda name: {"GMMSEG_PROGRAM": "/bin/gmmseg"}[name])
    utils = ModuleType("qgis.utils")
    utils.iface = None
    for module in (ModuleType("qgis"), core, utils, ModuleType("processing"), ModuleType("processing.core"), config):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    name = "gmmseg.integrations.qgis.algorithm"
    monkeypatch.delitem(sys.modules, name, raising=False)
    made = importlib.import_module(name)
    monkeypatch.setattr(made, "find", lambda setting, environment: setting)
    yield made
    sys.modules.pop(name)


@pytest.fixture
def algorithm(plugin):
    """Algorithms by name, and what is run in the place of the program: (name, printed or error) -> algorithm, calls."""

    def make(name, answer=""):
        calls = []

        def run(command, environment, listener):
            calls.append(command)
            listener.stage("fitting")
            listener.share(50.0)
            listener.warn("dark")
            if isinstance(answer, Exception):
                raise answer
            return answer

        plugin.run = run
        return plugin.CommandAlgorithm(next(each for each in ALGORITHMS if each.name == name)), calls

    return make


class Context:
    """Of a run whose label map or polygons are shown when it ends."""

    def __init__(self):
        self.processors = []

    def willLoadLayerOnCompletion(self, path):
        return path in ("/out.tif", "/out.gpkg")

    def layerToLoadOnCompletionDetails(self, path):
        return SimpleNamespace(setPostProcessor=self.processors.append)


def test_every_parameter_has_a_widget(algorithm):
    for each in ALGORITHMS:
        made, _ = algorithm(each.name)
        made = made.createInstance()
        made.initAlgorithm()
        parameters = {widget.name: widget for widget in made.defined[: len(each.parameters)]}
        assert list(parameters) == [parameter.name for parameter in each.parameters]
        assert [widget.name for widget in made.defined[len(each.parameters) :]] == [name for name, _ in each.answer]
        for parameter in each.parameters:
            assert parameters[parameter.name].set["flags"] == parameter.optional + 2 * parameter.advanced
        assert (made.name(), made.displayName()) == (each.name, each.title)
        assert made.shortHelpString() == each.help


def test_a_layer_becomes_a_command_and_its_labels_are_shown_by_their_style(algorithm, plugin, monkeypatch):
    made, calls = algorithm("segment", "wrote /out.tif\n")
    context, feedback = Context(), Feedback()
    given = {"INPUT": Layer('NETCDF:"/a b.nc":t|layer'), "K": "3", "COVARIANCE": 1, "SEED": 0, "OUTPUT": "/out.tif"}
    assert made.processAlgorithm(given, context, feedback) == {"OUTPUT": "/out.tif"}
    (command,) = calls
    assert command[:5] == ["/bin/gmmseg", "segment", "NETCDF:/a b.nc:t", "-k", "3"]
    assert {"full", "/out.qml"} < {*command}
    assert feedback.heard[1:] == [
        *[("setProgressText", "fitting"), ("setProgress", 50.0), ("pushWarning", "dark")],
        ("pushInfo", "wrote /out.tif\n"),
    ]
    loaded = []
    layer = SimpleNamespace(
        loadNamedStyle=loaded.append,
        triggerRepaint=lambda: loaded.append("drawn"),
        metadata=lambda: SimpleNamespace(setAbstract=loaded.append),
        setMetadata=lambda facts: loaded.append("kept"),
    )
    context.processors[0].postProcessLayer(layer, context, feedback)
    assert loaded == ["/out.qml", "dark", "kept", "drawn"]
    bar = SimpleNamespace(pushWarning=lambda title, text: loaded.append((title, text)))
    monkeypatch.setattr(plugin, "iface", SimpleNamespace(messageBar=lambda: bar))
    context.processors[0].postProcessLayer(layer, context, feedback)
    assert loaded[4:] == ["/out.qml", "dark", "kept", ("gmmseg", "dark"), "drawn"]


def test_polygons_are_shown_in_the_colours_of_their_raster(algorithm, plugin, monkeypatch):
    made, _ = algorithm("export", "wrote /out.gpkg\n")
    context, shown = Context(), []
    monkeypatch.setattr(plugin, "_color_polygons", lambda layer, labels: shown.append(labels))
    given = {"LABELS": Layer("/labels.tif"), "MIN_PIXELS": 1, "OUTPUT": "/out.gpkg"}
    assert made.processAlgorithm(given, context, Feedback()) == {"OUTPUT": "/out.gpkg"}
    facts = SimpleNamespace(setAbstract=shown.append)
    layer = SimpleNamespace(metadata=lambda: facts, setMetadata=lambda _: None, triggerRepaint=lambda: None)
    (processor,) = context.processors
    processor.postProcessLayer(layer, context, Feedback())
    assert shown == ["/labels.tif", "dark"]


def test_a_number_is_an_output(algorithm):
    made, _ = algorithm("choosek", '{"k": 4, "reason": "ICL is lowest"}')
    given = {"INPUT": Layer("/a.tif"), "MAX_K": 9, "CRITERION": 0}
    assert made.processAlgorithm(given, Context(), Feedback()) == {"K": 4}


def test_several_layers_are_several_files(algorithm):
    made, calls = algorithm("fit")
    given = {"INPUTS": [Layer("/a.tif"), Layer("/b.tif")], "K": "2", "COVARIANCE": 0, "SEED": 1, "OUTPUT": "/m.json"}
    assert made.processAlgorithm(given, Context(), Feedback()) == {"OUTPUT": "/m.json"}
    assert calls[0][2:4] == ["/a.tif", "/b.tif"]


def test_what_cannot_be_run_is_an_error_of_processing(algorithm, plugin):
    made, calls = algorithm("measure", plugin.FailedError("labels.tif: is empty"))
    with pytest.raises(plugin.QgsProcessingException, match=r"labels\.tif: is empty"):
        made.processAlgorithm({"LABELS": Layer("/a.tif"), "OUTPUT": "/t.csv"}, Context(), Feedback())
    with pytest.raises(plugin.QgsProcessingException, match="roads is of the kind wms, not a file"):
        made.processAlgorithm({"LABELS": Layer("url", "wms"), "OUTPUT": "/t.csv"}, Context(), Feedback())
    assert len(calls) == 1
    with pytest.raises(plugin.QgsProcessingException, match="Label map: there is no such layer"):
        plugin._file_of(None, ALGORITHMS[5].parameters[0])


def test_who_cancels_gets_no_results(algorithm, plugin):
    made, _ = algorithm("measure", plugin.CancelledError("cancelled"))
    assert made.processAlgorithm({"LABELS": Layer("/a.tif"), "OUTPUT": "/t.csv"}, Context(), Feedback()) == {}
