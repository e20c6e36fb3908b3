"""A stand-in for msgspec where its compiled part is missing, as far as marimo's parser, analysis and
codegen need it: structs with defaults that compare, and nothing of what sends them."""

import inspect
import sys
import types


class Struct:
    def __init_subclass__(cls, **options):
        pass

    def __init__(self, **values):
        for name in annotations(type(self)):
            setattr(self, name, values.get(name, getattr(type(self), name, None)))

    def __eq__(self, other):
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None


class Field:
    def __init__(self, name, type):
        self.name, self.type = name, type


class Anything:
    """What is named when marimo is loaded, and not used after that."""

    def __init__(self, *args, **kwargs):
        pass

    def __init_subclass__(cls, **options):
        pass

    def __class_getitem__(cls, item):
        return cls


class Module(types.ModuleType):
    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        if name[0].isupper():
            return type(name, (Anything,), {})

        def missing(*args, **kwargs):
            raise NotImplementedError(f"{self.__name__}.{name}")

        return missing


def annotations(cls):
    res = {}
    for base in reversed(cls.__mro__):
        if base not in (Struct, object):
            res |= inspect.get_annotations(base)
    return res


def install():
    msgspec = sys.modules["msgspec"] = Module("msgspec")
    for name in ("json", "structs"):
        sys.modules[f"msgspec.{name}"] = Module(f"msgspec.{name}")
        setattr(msgspec, name, sys.modules[f"msgspec.{name}"])
    msgspec.Struct = Struct
    # Defaults that are made anew each time: of messages, which are not sent here.
    msgspec.field = lambda **_: None
    msgspec.to_builtins = lambda value, **_: dict(vars(value))
    msgspec.structs.replace = lambda value, **changes: type(value)(**(vars(value) | changes))
    msgspec.structs.fields = lambda cls: [Field(*it) for it in annotations(cls).items()]
