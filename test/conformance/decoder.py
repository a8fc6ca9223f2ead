"""A second reader of the protocol, written from protocol/README.md alone with Python's standard library.

    python3 decoder.py README.md VECTORS_DIRECTORY

Takes the tables of messages, kinds and structs out of the wire document, reads every vector and compares. Prints one
line for each file, and for each difference; ends with 1 if there is any.
"""

import hashlib
import json
import math
import pathlib
import re
import struct
import sys
import zlib

MESSAGE_BYTES_MAX = 1024 * 1024
OBJECT_BYTES_MAX = 512 * 1024
DEPTH_MAX = 16
CONTAINERS_MAX = 65536
SAFE_INTEGER_MAX = 2**53 - 1
CHANNELS = {"session": 0, "view": 1, "report": 2, "stream": 3}


class Refused(Exception):
    """Bytes that break a rule of the document; `code` is the name of the error."""

    def __init__(self, code, why):
        super().__init__(f"{code}: {why}")
        self.code = code


def malformed(why):
    return Refused("E_WIRE_MALFORMED", why)


# --- section 1: values


class Reader:
    """Reads and checks msgpack in one pass."""

    def __init__(self, data, bytes_max, binary=True):
        if len(data) > bytes_max:
            raise Refused("E_WIRE_TOO_LARGE", "too many bytes")
        self.data, self.at, self.binary, self.containers = data, 0, binary, 0

    def whole(self):
        value = self.value(0)
        if self.at != len(self.data):
            raise malformed("bytes behind the value")
        return value

    def take(self, count):
        if count > len(self.data) - self.at:
            raise malformed("the message ends inside a value")
        self.at += count
        return self.data[self.at - count : self.at]

    def uint(self, width):
        return int.from_bytes(self.take(width), "big")

    def value(self, depth):
        kind = self.uint(1)
        if kind <= 0x7F:
            return kind
        if kind >= 0xE0:
            return kind - 0x100
        if kind <= 0x8F:
            return self.map(kind & 0x0F, depth)
        if kind <= 0x9F:
            return self.array(kind & 0x0F, depth)
        if kind <= 0xBF:
            return self.text(kind & 0x1F)
        simple = {0xC0: None, 0xC2: False, 0xC3: True}
        if kind in simple:
            return simple[kind]
        if kind in (0xC4, 0xC5, 0xC6):
            if not self.binary:
                raise malformed("bytes in JSON")
            return bytes(self.take(self.uint(1 << (kind - 0xC4))))
        if kind == 0xCB:
            (number,) = struct.unpack(">d", self.take(8))
            if not math.isfinite(number):
                raise malformed("a number that is not finite")
            return int(number) if number.is_integer() else number
        if 0xCC <= kind <= 0xCF:
            return self.safe(self.uint(1 << (kind - 0xCC)))
        if 0xD0 <= kind <= 0xD3:
            return self.safe(int.from_bytes(self.take(1 << (kind - 0xD0)), "big", signed=True))
        if 0xD9 <= kind <= 0xDB:
            return self.text(self.uint(1 << (kind - 0xD9)))
        if kind in (0xDC, 0xDD):
            return self.array(self.uint(2 << (kind - 0xDC)), depth)
        if kind in (0xDE, 0xDF):
            return self.map(self.uint(2 << (kind - 0xDE)), depth)
        raise malformed(f"the type 0x{kind:02x}")

    def safe(self, number):
        if abs(number) > SAFE_INTEGER_MAX:
            raise malformed("an integer that is too large")
        return number

    def text(self, length):
        try:
            return bytes(self.take(length)).decode("utf-8")
        except UnicodeDecodeError as error:
            raise malformed("text that is not UTF-8") from error

    def enter(self, count, depth):
        if depth >= DEPTH_MAX:
            raise Refused("E_WIRE_TOO_LARGE", "too deep")
        if count > len(self.data) - self.at:
            raise malformed("a count past the end")
        self.containers += 1
        if self.containers > CONTAINERS_MAX:
            raise Refused("E_WIRE_TOO_LARGE", "too many arrays and maps")

    def array(self, count, depth):
        self.enter(count, depth)
        return [self.value(depth + 1) for _ in range(count)]

    def map(self, count, depth):
        self.enter(2 * count, depth)
        result = {}
        for _ in range(count):
            key = self.value(depth + 1)
            if not isinstance(key, str) or key == "__proto__" or key in result:
                raise malformed("a key that is no text, __proto__, or there twice")
            result[key] = self.value(depth + 1)
        return result


# --- the tables of the document


class Document:
    def __init__(self, text):
        self.messages = {}
        for line in self.block(text, "messages"):
            address, direction, name, shape = line.split(" ", 3)
            channel, kind = address.split(".")
            parsed = ShapeParser(shape.replace(" ", "")).whole()
            self.messages[CHANNELS[channel], int(kind)] = (name, direction, parsed)
        self.kinds = {}
        for line in self.block(text, "kinds"):
            code, api_version, kind, struct_name = line.split(" ")
            self.kinds[int(code)] = (api_version, kind, struct_name)
        self.structs = {}
        for line in self.block(text, "structs"):
            name, fields = line.split(": ", 1)
            self.structs[name] = [self.field(field) for field in fields.split(" ")]

    @staticmethod
    def block(text, name):
        """Lines of a fenced block; one that begins with blanks belongs to the line before."""
        content = re.search(rf"^```{name}\n(.*?)^```", text, re.MULTILINE | re.DOTALL).group(1)
        return re.sub(r"\n +", " ", content).strip().split("\n")

    @staticmethod
    def field(text):
        """(name, form, detail) with form json, words, struct or list."""
        name, _, rest = text.partition("=")
        if rest == "":
            return name, "json", None
        if rest.startswith('"'):
            return name, "words", rest.strip('"').split("|")
        if rest.startswith("["):
            return name, "list", rest.strip("[]")
        return name, "struct", rest


class ShapeParser:
    """`{name:shape,…}`, `[shape]<=N`, `uint<=N`, `text<=N`, `bytes<=N`, `bool`, `json`, each with `?` for optional."""

    def __init__(self, text):
        self.text, self.at = text, 0

    def whole(self):
        shape = self.shape()
        assert self.at == len(self.text), f"the shape {self.text} at {self.at}"
        return shape

    def match(self, pattern):
        found = re.compile(pattern).match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def bound(self):
        found = self.match(r"<=(\d+)")
        return int(found.group(1)) if found else SAFE_INTEGER_MAX

    def shape(self):
        if self.match(r"\{"):
            fields = []
            while not self.match(r"\}"):
                fields.append((self.match(r",?(\w+):").group(1), self.shape()))
            shape = ("fields", fields, 0)
        elif self.match(r"\["):
            item = self.shape()
            assert self.match(r"\]")
            shape = ("list", item, self.bound())
        else:
            shape = (self.match(r"uint|text|bytes|bool|json").group(0), None, self.bound())
        return ("optional", shape, 0) if self.match(r"\?") else shape


# --- section 2: messages

ABSENT = object()


def read_shape(shape, wire):
    form, detail, bound = shape
    if form == "optional":
        return ABSENT if wire is None else read_shape(detail, wire)
    if form == "fields":
        if not isinstance(wire, list):
            raise malformed("fields that are no array")
        return read_fields(detail, wire)
    if form == "list":
        if not isinstance(wire, list) or len(wire) > bound:
            raise malformed("a list that is none, or too long")
        return [read_shape(detail, item) for item in wire]
    fits = {
        "uint": lambda: type(wire) is int and 0 <= wire <= bound,
        "text": lambda: isinstance(wire, str) and len(wire.encode()) <= bound,
        "bytes": lambda: isinstance(wire, bytes) and len(wire) <= bound,
        "bool": lambda: isinstance(wire, bool),
        "json": lambda: is_json(wire),
    }[form]
    if not fits():
        raise malformed(f"a value that is no {form} of at most {bound}")
    return {"$bytes": wire.hex()} if form == "bytes" else wire


def read_fields(fields, wire):
    padded = wire + [None] * (len(fields) - len(wire))
    values = ((name, read_shape(shape, item)) for (name, shape), item in zip(fields, padded))
    return {name: value for name, value in values if value is not ABSENT}


def is_json(wire):
    if isinstance(wire, list):
        return all(map(is_json, wire))
    if isinstance(wire, dict):
        return all(map(is_json, wire.values()))
    return not isinstance(wire, bytes)


def read_message(document, data, direction):
    """(channel, kind, message), the message None when it is to be skipped."""
    frame = Reader(data, MESSAGE_BYTES_MAX).whole()
    if not isinstance(frame, list) or len(frame) < 3:
        raise malformed("a frame without channel, stream and kind")
    channel, stream, kind = frame[:3]
    if not all(type(number) is int and number >= 0 for number in (channel, stream, kind)) or max(channel, kind) > 65535:
        raise malformed("channel, stream or kind")
    if (channel, kind) not in document.messages:
        return channel, kind, None
    name, flows, shape = document.messages[channel, kind]
    if flows not in (direction, "both"):
        raise Refused("E_WIRE_UNEXPECTED", f"{name} does not travel {direction}")
    if stream != 0 and channel != CHANNELS["stream"]:
        raise malformed("a stream id outside of the stream channel")
    return channel, kind, {"name": name, **read_shape(shape, frame[3:])}


def unpack(dictionaries, packed):
    """The frame inside of a packed message."""
    dictionary, size = dictionaries.get(packed["dictionary"]), packed["sizeBytes"]
    if dictionary is None or size == 0:
        raise malformed("an unknown dictionary or an empty message")
    inflater = zlib.decompressobj(wbits=-15, zdict=dictionary)
    try:
        data = inflater.decompress(bytes.fromhex(packed["bytes"]["$bytes"]), size + 1)
    except zlib.error as error:
        raise malformed("broken deflate data") from error
    if len(data) != size or not inflater.eof or inflater.unused_data:
        raise malformed("not the announced size")
    return data


def read_packed(document, dictionaries, data):
    _, _, packed = read_message(document, data, "down")
    inner = unpack(dictionaries, packed)
    channel, kind, message = read_message(document, inner, "down")
    if channel != CHANNELS["view"] or (message and message["name"] == "packed"):
        raise malformed("a message that may not be packed")
    return inner


# --- section 3: objects


def read_object(document, data):
    wire = Reader(data, OBJECT_BYTES_MAX, binary=False).whole()
    if not isinstance(wire, list) or len(wire) < 2:
        raise malformed("an object that is no array")
    if wire[0] == 0 and not isinstance(wire[0], bool):
        result = wire[1]
    else:
        known = document.kinds.get(wire[0]) if type(wire[0]) is int else None
        if known is None:
            raise malformed("an unknown kind code")
        api_version, kind, struct_name = known
        result = read_struct(document, struct_name, wire[1:], {"apiVersion": api_version, "kind": kind})
    if not isinstance(result, dict) or not isinstance(result.get("metadata"), dict):
        raise malformed("an object without metadata")
    for text in (result.get("apiVersion"), result.get("kind"), result["metadata"].get("name")):
        if not isinstance(text, str):
            raise malformed("an object without apiVersion, kind or name")
    return result


def read_struct(document, struct_name, wire, result):
    if not isinstance(wire, list) or len(wire) == 0:
        raise malformed(f"{struct_name} is no array by position")
    fields = document.structs[struct_name]
    for (name, form, detail), value in zip(fields, wire[:-1]):
        if value is not None:
            result[name] = read_field(document, form, detail, value)
    rest = wire[-1]
    if rest is None:
        return result
    if not isinstance(rest, dict):
        raise malformed(f"the rest of {struct_name}")
    known = {name for name, _, _ in fields}
    for name, value in rest.items():
        if name in result:
            raise malformed(f"{name} is there twice")
        if value is not None or name not in known:
            result[name] = value
    return result


def read_field(document, form, detail, value):
    if form == "json":
        return value
    if form == "words":
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return value
        if not isinstance(value, int) or not 0 <= value < len(detail):
            raise malformed("an index without a word")
        return detail[value]
    if form == "struct":
        return read_struct(document, detail, value, {})
    if not isinstance(value, list):
        raise malformed("a list of structs that is none")
    return [read_struct(document, detail, item, {}) for item in value]


# --- section 4: digests


def entry_hash(key, revision, data):
    text = key.encode()
    framed = len(text).to_bytes(4, "big") + text + revision.to_bytes(8, "big") + data
    return hashlib.sha256(framed).digest()[:16]


def section_digest(hashes):
    total = sum(int.from_bytes(item, "big") for item in hashes)
    return (total % 2**128).to_bytes(16, "big")


# --- the vectors


def code_of(work):
    try:
        work()
    except Refused as refused:
        return refused.code
    return "accepted"


def same(a, b):
    """Equality of JSON, where true is not 1."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return a == b


def compare(document, load):
    """(file, vector's name, whether it is as it should be) for every vector."""
    dictionaries = {row["version"]: bytes.fromhex(row["hex"]) for row in load("dictionaries")}
    for vector in load("messages"):
        channel, kind, message = read_message(document, bytes.fromhex(vector["hex"]), vector["direction"])
        skipped = vector.get("skipped", {})
        fits = (message is None and (channel, kind) == (skipped["channel"], skipped["kind"])) if skipped else same(
            message, vector["message"]
        )
        yield "messages", vector["name"], fits
    for vector in load("objects"):
        yield "objects", vector["name"], same(read_object(document, bytes.fromhex(vector["hex"])), vector["object"])
    for vector in load("packed"):
        inner = read_packed(document, dictionaries, bytes.fromhex(vector["hex"]))
        yield "packed", vector["name"], inner.hex() == vector["inner"]
    for vector in load("refused"):
        data = bytes.fromhex(vector["hex"])
        work = {
            "message": lambda: read_message(document, data, vector["direction"]),
            "object": lambda: read_object(document, data),
            "packed": lambda: read_packed(document, dictionaries, data),
        }[vector["as"]]
        yield "refused", vector["name"], code_of(work) == vector["code"]
    digests = load("digests")
    for entry in digests["entries"]:
        found = entry_hash(entry["key"], entry["revision"], bytes.fromhex(entry["bytes"]))
        yield "digests", f"entry {entry['key']}", found.hex() == entry["hash"]
    for section in digests["sections"]:
        found = section_digest(map(bytes.fromhex, section["hashes"]))
        yield "digests", f"section of {len(section['hashes'])}", found.hex() == section["digest"]


def main(document_path, vectors_path):
    document = Document(pathlib.Path(document_path).read_text(encoding="utf-8"))

    def load(name):
        return json.loads((pathlib.Path(vectors_path) / f"{name}.json").read_text(encoding="utf-8"))

    counts, differences = {}, 0
    for file, name, fits in compare(document, load):
        counts[file] = counts.get(file, 0) + 1
        if not fits:
            differences += 1
            print(f"different: {file}: {name}")
    for file, count in counts.items():
        print(f"{file}: {count} vectors read")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
