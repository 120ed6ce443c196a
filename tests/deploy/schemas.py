"""Holds resolved resources against Azure's published schemas: schemas.py FOLDER

Reads from standard input what template.py printed, and finds in FOLDER, for each type and version, the schema of its
resources (FOLDER/<version>/<provider>*.json). It is stricter than the schemas are: a property that one does not name is a
mistake too, since Azure ignores or refuses it. Prints how many resources were checked; fails with all that is wrong.
"""

import json
import sys
from pathlib import Path

from jsonschema import Draft4Validator
from jsonschema.exceptions import best_match
from referencing import Registry
from referencing.jsonschema import DRAFT4

# What every resource may have, whatever its type: Resource Manager reads it, not the type's provider.
COMMON = ("dependsOn", "scope", "resourceGroup", "subscriptionId", "tags")


def main():
    folder = Path(sys.argv[1])
    registry = Registry(retrieve=lambda uri: DRAFT4.create_resource(load(folder, uri)))
    checked, complaints = 0, []
    for item in json.load(sys.stdin)["resources"]:
        resource = {key: value for key, value in item["resource"].items() if key not in COMMON}
        if resource["type"] == "Microsoft.Resources/deployments":
            continue  # Its own resources are in the list.
        uri, name, spelling = find(folder, resource["type"], resource["apiVersion"])
        resource["type"] = spelling
        schema = {"$ref": f"{uri}#/resourceDefinitions/{name}"}
        errors = list(Draft4Validator(schema, registry=registry).iter_errors(resource))
        complaints += [f"{item['id']}: {reason(error)}" for error in errors]
        checked += 1
    if complaints:
        sys.exit("\n".join(complaints))
    print(checked)


def find(folder, kind, version):
    """The schema file that defines a type, the type's name there, and how it spells the type, whose case does not count."""
    name = "_".join(kind.split("/")[1:])
    for path in sorted((folder / version).glob(f"{kind.split('/')[0]}*.json")):
        definition = json.loads(path.read_text(encoding="utf-8"))["resourceDefinitions"].get(name)
        if definition:
            types = definition.get("properties", {}).get("type", {}).get("enum", [kind])
            spelling = next(spelling for spelling in types if spelling.lower() == kind.lower())
            return f"https://schema.management.azure.com/schemas/{version}/{path.name}", name, spelling
    sys.exit(f"there is no schema of {kind} {version}")


def load(folder, uri):
    path = uri.split("#")[0].removeprefix("https://schema.management.azure.com/schemas/")
    schema = json.loads((folder / path).read_text(encoding="utf-8"))
    return schema | {"definitions": strict(schema["definitions"])}


def strict(schema):
    """The schema without properties that it does not name."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: strict(value) for key, value in schema.items()}
    if schema.get("type") == "object" and schema.get("properties"):
        schema.setdefault("additionalProperties", False)
    return schema


def reason(error):
    """What is wrong; of several alternatives that do not fit, what the likeliest one lacks."""
    telling = best_match([error])
    return f"{'/'.join(str(step) for step in telling.absolute_path)}: {telling.message[:300]}"


if __name__ == "__main__":
    main()
