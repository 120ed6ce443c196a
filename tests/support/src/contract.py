"""Holds exchanges with Azure Resource Manager against its OpenAPI documents: contract.py FOLDER

Reads exchanges from standard input, a JSON object a line (method, uri, request, status, answer), and prints for each a
JSON list of what is wrong with it. An exchange is held against the document of its api-version, or against the newest
stable one of its provider where FOLDER does not have that version. A request must follow its schema, without
properties that the schema does not name, if it was accepted; an answer may have more than its schema names, as the
service's do.

The bodies of all accepted PUTs of container groups are also held against the JSON Schema of the newest api-version that groups
are created in, which has no OpenAPI document here.
"""

import functools
import json
import re
import sys
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from jsonschema import Draft4Validator

# Recorded answers of the service do not follow its documents here: a property that they require is not shown, since it
# is secret, and the log of a container that has printed nothing may be null.
NOT_SHOWN = {"workspaceKey"}
NULLABLE = {"content"}

# What clients call without a document: operations are known by their links alone, tokens have no Resource Manager, and the
# documents about topics, managed identities, permissions, accounts and apps are not there.
UNDOCUMENTED = re.compile(
    r"^/msi/token$|/locations/[^/]+/operations/[^/]+$|/topics/[^/]+$|/userAssignedIdentities/[^/]+$"
    r"|/Microsoft.Authorization/permissions$|^/subscriptions$|/Microsoft.Web/sites(/[^/]+(/config/appsettings/list)?)?$",
    re.IGNORECASE,
)

# The api-version whose JSON Schema all container groups follow.
NEWEST = "2025-09-01"
GROUP = re.compile(r"/Microsoft.ContainerInstance/containerGroups/[^/]+$", re.IGNORECASE)

# Amounts that the service has parts of, and the schema whole ones.
AMOUNTS = {"cpu", "memoryInGB"}

# The parameter of links to next pages, which are opaque to clients.
OPAQUE = {"$skiptoken"}


class Documents:
    def __init__(self, folder):
        self.folder, self.operations = folder, []
        for path in sorted(Path(folder).glob("specification/*/resource-manager/Microsoft.*/*/*/*.json")):
            document = load(path)
            for template, methods in document.get("paths", {}).items():
                for method, operation in methods.items():
                    if "responses" in operation:
                        shared = methods.get("parameters", [])
                        self.operations.append((template_of(template), method, path, operation, shared))
        if not self.operations:
            sys.exit(f"there are no OpenAPI documents in {folder}")

    def find(self, method, path, version):
        """The operation, and the document that has it."""
        found = [
            (document, operation, shared)
            for template, verb, document, operation, shared in self.operations
            if verb == method.lower() and template.fullmatch(path)
        ]
        exact = [item for item in found if item[0].parent.name == version]
        stable = [item for item in found if item[0].parent.parent.name == "stable"]
        candidates = exact or sorted(stable, key=lambda item: item[0].parent.name)
        return candidates[-1] if candidates else None


def complaints_of(documents, exchange):
    uri = urlsplit(exchange["uri"])
    query = parse_qs(uri.query, keep_blank_values=True)
    status, answer = exchange["status"], exchange["answer"]
    found = documents.find(exchange["method"], unquote(uri.path), query.get("api-version", [""])[0])
    if found is None:
        known = UNDOCUMENTED.search(uri.path) or status >= 400
        return [] if known else ["there is no such operation"]
    document, operation, shared = found
    parameters = [resolve(parameter, document)[0] for parameter in operation.get("parameters", []) + shared]
    complaints = []
    if status < 400:
        complaints += query_complaints(parameters, query)
        if exchange["method"] == "PUT" and GROUP.search(uri.path):
            complaints += schema_complaints("request", newest_group(documents.folder), exchange["request"])
        # What only the newest version knows, the document does not.
        bodies = [] if query.get("api-version") == [NEWEST] else parameters
        for body in (parameter for parameter in bodies if parameter["in"] == "body"):
            schema = plain(body["schema"], document, strict=True)
            complaints += schema_complaints("request", schema, exchange["request"])
    responses = operation["responses"]
    response = responses.get(str(status)) or (responses.get("default") if status >= 400 else None)
    if response is None:
        complaints.append(f"there is no answer {status}")
    elif "schema" in response:
        complaints += schema_complaints("answer", plain(response["schema"], document, strict=False), answer)
    elif answer:
        complaints.append(f"the answer {status} has no body in the contract")
    return complaints


def query_complaints(parameters, query):
    known = {parameter["name"]: parameter for parameter in parameters if parameter["in"] == "query"}
    missing = [name for name, parameter in known.items() if parameter.get("required") and name not in query]
    unknown = [name for name in query if name not in known and name not in OPAQUE]
    return [f"the parameter {name} is missing" for name in missing] + [f"there is no parameter {name}" for name in unknown]


def schema_complaints(what, schema, text):
    try:
        value = json.loads(text)
    except ValueError:
        return [f"the {what} is not JSON: {text[:80]!r}"]
    errors = Draft4Validator(schema).iter_errors(value)
    return [f"{what}/{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in errors]


def plain(schema, document, strict, seen=()):
    """A schema without references and inheritance; what refers to itself ends in one that allows anything."""
    schema, document, name = resolve(schema, document)
    if name in seen:
        return {}
    seen = (*seen, name) if name else seen
    below = functools.partial(plain, document=document, strict=strict, seen=seen)
    result = {key: schema[key] for key in ("type", "enum", "maxLength", "minLength", "pattern") if key in schema}
    if "items" in schema:
        result["items"] = below(schema["items"])
    properties, required = {}, set(schema.get("required", []))
    for parent in schema.get("allOf", []):
        inherited = below(parent)
        properties |= inherited.get("properties", {})
        required |= set(inherited.get("required", []))
    properties |= {key: below(value) for key, value in schema.get("properties", {}).items()}
    for key in NULLABLE & properties.keys():
        properties[key] = {"anyOf": [properties[key], {"type": "null"}]}
    if required - NOT_SHOWN:
        result["required"] = sorted(required - NOT_SHOWN)
    if isinstance(schema.get("additionalProperties"), dict):
        result["additionalProperties"] = below(schema["additionalProperties"])
    elif strict and properties:
        result["additionalProperties"] = False
    return result | ({"properties": properties} if properties else {})


@functools.cache
def newest_group(folder):
    """The schema of a container group, strictly, without what is in a request's address and without expressions."""
    document = load(Path(folder) / "arm-json-schemas" / NEWEST / "Microsoft.ContainerInstance.json")
    group = document["resourceDefinitions"]["containerGroups"]
    address = {"name", "type", "apiVersion"}
    properties = {key: value for key, value in group["properties"].items() if key not in address}
    return without_expressions(document, group | {"properties": properties, "required": ["properties"]})


def without_expressions(document, schema):
    if "oneOf" in schema:
        return without_expressions(document, schema["oneOf"][0])
    if "$ref" in schema:
        return without_expressions(document, document["definitions"][schema["$ref"].rsplit("/", 1)[-1]])
    below = functools.partial(without_expressions, document)
    result = {key: schema[key] for key in ("type", "enum", "required") if key in schema}
    if "items" in schema:
        result["items"] = below(schema["items"])
    properties = {key: below(value) for key, value in schema.get("properties", {}).items()}
    result["properties"] = properties | {key: {"type": "number"} for key in AMOUNTS & properties.keys()}
    if "additionalProperties" in schema:
        result["additionalProperties"] = below(schema["additionalProperties"])
    elif schema.get("type") == "object" and properties:
        result["additionalProperties"] = False
    return result


def resolve(schema, document):
    """What a schema refers to, the document that has it, and its name."""
    name = None
    while "$ref" in schema:
        file, pointer = schema["$ref"].split("#")
        document = (document.parent / file).resolve() if file else document
        name = (document, pointer)
        schema = functools.reduce(lambda value, key: value[key], pointer.strip("/").split("/"), load(document))
    return schema, document, name


@functools.cache
def load(path):
    return json.loads(path.read_text(encoding="utf-8-sig"))


def template_of(path):
    """Fixed segments in any case, and anything but a slash for parameters."""
    parts = re.split(r"\{[^}]*\}", path)
    return re.compile("[^/]+".join(map(re.escape, parts)), re.IGNORECASE)


documents = Documents(sys.argv[1])
for line in sys.stdin:
    print(json.dumps(complaints_of(documents, json.loads(line))), flush=True)
