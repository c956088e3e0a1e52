"""Dataclasses of what every run loads, made in a twentieth of the time.

The standard library writes source for each method of each dataclass, and compiles it: half a millisecond a class, 25 ms
of a run on a photograph of 512 x 512, which took a tenth more. Here classes have their methods in common, and
what else is asked of a dataclass (`dataclasses.fields`, `asdict`, a signature) is made when it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["dataclass", "field", "replace"]

_NONE: Any = object()


class _Field:
    """What `dataclasses.field` says of a field."""

    def __init__(self, *, default: Any = _NONE, default_factory: Any = None, repr: bool = True, compare: bool = True):
        self.default, self.default_factory, self.repr, self.compare = default, default_factory, repr, compare

    def value(self) -> Any:
        """What the field holds where nothing is given; `_NONE` where something must be."""
        return self.default if self.default_factory is None else self.default_factory()

    def options(self) -> dict[str, Any]:
        """Return the same for `dataclasses.field`."""
        options: dict[str, Any] = {"repr": self.repr, "compare": self.compare}
        options |= {} if self.default is _NONE else {"default": self.default}
        return options | ({} if self.default_factory is None else {"default_factory": self.default_factory})


class _OnRequest:
    """What of a class only the standard library knows: asked of one that it makes, of the same fields."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        """Make that class, once."""
        twin = owner.__dict__.get("_record_twin")
        if twin is None:
            import dataclasses  # here, because hardly any run asks

            fields: dict[str, _Field] = owner._record_fields  # type: ignore[attr-defined]  # it is one of ours
            defaults = {name: dataclasses.field(**each.options()) for name, each in fields.items()}
            annotations = {
                name: annotation
                for base in reversed(owner.__mro__)
                for name, annotation in getattr(base, "__annotations__", {}).items()
                if name in fields
            }
            body = {"__module__": owner.__module__, "__doc__": "", "__annotations__": annotations, **defaults}
            twin = dataclasses.dataclass(frozen="__setattr__" in owner.__dict__)(type(owner.__name__, (), body))
            type.__setattr__(owner, "_record_twin", twin)
        if self.name == "__signature__":
            import inspect  # likewise

            return inspect.signature(twin)
        return getattr(twin, self.name)


_set = object.__setattr__


def _init(self: Any, *arguments: Any, **named: Any) -> None:
    names, values = self._record_names, self._record_defaults.copy()
    values.update(zip(names, arguments))  # noqa: B905  # those too many are found out below
    values.update(named)
    wrong = len(arguments) > len(names) or (named and not named.keys() <= self._record_by_name[len(arguments)])
    if wrong or len(values) < len(names):
        values = _completed(self, arguments, named)
    _set(self, "__dict__", values)
    if self._record_continues:
        self.__post_init__()


def _completed(self: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    """Return values that include those that are made anew for each instance; refuse what is not usable."""
    fields = self._record_fields
    if len(arguments) > len(fields):
        raise TypeError(f"{type(self).__name__} takes {len(fields)} arguments, but {len(arguments)} were given")
    values = dict(zip(fields, arguments, strict=False))
    for name in named:
        if name in values or name not in fields:
            what = "got several values for argument" if name in values else "got an unexpected keyword argument"
            raise TypeError(f"{type(self).__name__} {what} {name!r}")
    values |= named
    for name, each in fields.items():
        if name not in values and (value := each.value()) is not _NONE:
            values[name] = value
    if missing := [name for name in fields if name not in values]:
        raise TypeError(f"{type(self).__name__} misses the argument {missing[0]!r}")
    return values


def _repr(self: Any) -> str:
    shown = (f"{name}={getattr(self, name)!r}" for name, each in self._record_fields.items() if each.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _compared(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, name) for name, each in self._record_fields.items() if each.compare)


def _eq(self: Any, other: object) -> Any:
    return _compared(self) == _compared(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash(_compared(self))


def _setattr(self: Any, name: str, value: Any) -> None:
    from dataclasses import FrozenInstanceError  # here, because it is a mistake

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(self: Any, name: str) -> None:
    from dataclasses import FrozenInstanceError  # here, because it is a mistake

    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _dataclass(*, frozen: bool = False, eq: bool = True, repr: bool = True, init: bool = True) -> Any:
    """Add the methods of a dataclass to a class, which may have bases that are such; see `dataclasses.dataclass`."""

    def made(cls: Any) -> Any:
        own = cls.__dict__
        fields: dict[str, _Field] = {}
        for base in cls.__mro__[-1:0:-1]:
            fields |= base.__dict__.get("_record_fields", {})
        for name, annotation in own.get("__annotations__", {}).items():
            if not annotation.startswith("ClassVar"):  # text, by `from __future__ import annotations`
                value = own.get(name, _NONE)
                fields[name] = value if isinstance(value, _Field) else _Field(default=value)
                if value is not _NONE and fields[name] is value:
                    if value.default is _NONE:
                        delattr(cls, name)
                    else:
                        setattr(cls, name, value.default)
        defaults = {name: each.default for name, each in fields.items() if each.default is not _NONE}
        names = tuple(fields)
        methods: dict[str, Any] = {
            "_record_fields": fields,
            "_record_names": names,
            "_record_defaults": defaults,
            "__match_args__": names,
        }
        # Those that may be given by name after so many by place.
        methods["_record_by_name"] = [frozenset(names[place:]) for place in range(len(names) + 1)]
        methods["_record_continues"] = hasattr(cls, "__post_init__")
        methods |= {name: _OnRequest(name) for name in ("__dataclass_fields__", "__dataclass_params__")}
        methods |= {"__init__": _init, "__signature__": _OnRequest("__signature__")} if init else {}
        methods |= {"__setattr__": _setattr, "__delattr__": _delattr} if frozen else {}
        methods |= {"__repr__": _repr} if repr and "__repr__" not in own else {}
        if eq and "__eq__" not in own:
            methods |= {"__eq__": _eq, "__hash__": _hash if frozen else None}
        for name, method in methods.items():
            setattr(cls, name, method)
        return cls

    return made


def _replace(instance: Any, /, **changes: Any) -> Any:
    """Return the like of an instance with some fields changed."""
    fields = type(instance).__dict__.get("_record_fields")
    if fields is None:
        from dataclasses import replace  # here, because what every run loads is made here

        return replace(instance, **changes)
    kind, values = type(instance), {name: getattr(instance, name) for name in fields} | changes
    if len(values) > len(fields) or kind.__init__ is not _init:
        return kind(**values)
    made = object.__new__(kind)
    _set(made, "__dict__", values)
    if kind._record_continues:
        made.__post_init__()
    return made


if TYPE_CHECKING:  # they are what they are in the standard library
    from dataclasses import dataclass, field, replace
else:
    dataclass, field, replace = _dataclass, _Field, _replace
