"""Holds read-settings.py to its promises with settings that nobody would think of: properties.py SEED COUNT"""

import contextlib
import importlib.util
import io
import json
import os
import pathlib
import random
import sys
import tempfile

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / ".github" / "scripts"
CANARY = "c4n4ry"
PIECES = [
    "ACI_IMAGE", "aci_image", "INSTANCE_A", "instance_a", "PATH", "HTTP_PROXY", "LD_PRELOAD", "FUNCTIONS_X", "A", "a1", "1a", "",
    "ſ", "K", "İ", "_", "=", " ", "\n", "\r", "\0", "\u2028", "\u202e", "\x1b[31m", "%0A", "::error::", "::add-mask::", "::set-output name=x::y",
    "\ud800", "😀", "é", "e\u0301", '"', "\\", "{", "}", "null", "x" * 300,
]
# What a line of the output may begin with.
COMMANDS = ("::error title=Settings not pushed::", "::warning title=Settings push::", "::add-mask::")


def load():
    sys.path.insert(0, str(SCRIPTS))
    spec = importlib.util.spec_from_file_location("read_settings", SCRIPTS / "read-settings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text(chance):
    return "".join(chance.choice(PIECES) for _ in range(chance.randrange(5)))


def name(chance):
    return chance.choice(["A", "a", "INSTANCE_A", "instance_a", "B"]) if chance.random() < 0.7 else text(chance)


def value(chance, depth=0):
    kind = chance.randrange(10)
    if kind < 5:
        return chance.choice(["", CANARY + " "]) + text(chance)
    if kind == 5:
        return chance.choice([True, False, None])
    if kind == 6:
        return chance.choice([0, -1, 10**40, 1e300, 0.1])
    if kind == 7 and depth < 3:
        return [value(chance, depth + 1) for _ in range(chance.randrange(3))]
    if kind == 8 and depth < 3:
        return {text(chance): value(chance, depth + 1) for _ in range(chance.randrange(3))}
    return text(chance)


def settings(chance):
    """The input itself: mostly an object as text, with names that repeat, at times anything else."""
    kind = chance.randrange(12)
    if kind == 0:
        return text(chance)
    if kind == 1:
        return "[" * chance.randrange(100_000)
    if kind == 2:
        return chance.choice([None, 7, [], "null", "[]", '"text"', "NaN"])
    pairs = [(name(chance), value(chance)) for _ in range(chance.randrange(5))]
    if kind == 3:
        return dict(pairs)
    return "{" + ",".join(f"{json.dumps(one)}:{json.dumps(given)}" for one, given in pairs) + "}"


def run(module, folder, given):
    """What came of a push: whether it was accepted, what was printed, and what was written."""
    inputs = {"function_app_name": "my-scaler", "resource_group": "my-rg", "aci_image": "r.azurecr.io/w:1"}
    event = folder / "event.json"
    event.write_text(json.dumps({"client_payload": inputs | {"app_settings_json": given}}))
    written, output = folder / "settings.json", folder / "output"
    for file in (written, output):
        file.unlink(missing_ok=True)
    os.environ.update(GITHUB_EVENT_PATH=str(event), SETTINGS_FILE=str(written), GITHUB_OUTPUT=str(output))
    os.environ.pop("CALL_INPUTS", None)
    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    accepted = True
    with contextlib.redirect_stdout(printed):
        try:
            module.main()
        except SystemExit as end:
            accepted = end.code in (None, 0)
        printed.flush()
    lines = printed.buffer.getvalue().decode("utf-8")
    return accepted, lines, json.loads(written.read_text(encoding="utf-8")) if written.exists() else None


def check(module, folder, given):
    accepted, printed, written = run(module, folder, given)
    assert accepted == (written is not None), "what is refused is not written"
    for line in printed.replace("\r", "\n").split("\n"):
        assert line == "" or line.startswith(COMMANDS), f"a line of its own: {line!r}"
        assert CANARY not in line or line.startswith("::add-mask::"), f"a value is shown: {line!r}"
    secrets = json.dumps(given, ensure_ascii=False)
    assert CANARY not in secrets or any(CANARY in line for line in printed.split("\n")), "a value is not masked"
    if not accepted:
        return
    names = [setting["name"] for setting in written]
    assert names[0] == "ACI_IMAGE" and written[0]["value"] == "r.azurecr.io/w:1", "the image is the input's"
    assert len({name.lower() for name in names}) == len(names), f"Azure takes two for the same: {names}"
    if isinstance(given, str):
        given = json.loads(given) if given.strip() else {}
    pairs = dict(given or {})
    for setting in written:
        name, got = setting["name"], setting["value"]
        assert module.SETTING_NAME.fullmatch(name) and name.isascii(), name
        assert not module.RESERVED.fullmatch(name), name
        assert isinstance(got, str) and "\0" not in got, got
        got.encode("utf-8")
        want = pairs.get(name)
        if name == "ACI_IMAGE":
            continue
        assert want is not None and not isinstance(want, (list, dict)), want
        assert not isinstance(want, str) or want == got, (want, got)
    assert set(pairs) == set(names) - {"ACI_IMAGE"}, "nothing is left out in silence"


def main():
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    module = load()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            given = settings(random.Random(seed * 1_000_003 + number))
            try:
                check(module, pathlib.Path(folder), given)
            except BaseException as problem:
                shown = given if len(repr(given)) < 500 else repr(given)[:500]
                raise SystemExit(f"case {number} of seed {seed}: {problem!r}\n{shown!r}") from problem
    print(f"{count} cases hold")


if __name__ == "__main__":
    main()
