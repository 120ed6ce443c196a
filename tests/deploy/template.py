"""Resolves an ARM template as Resource Manager would: template.py TEMPLATE PARAMETERS [PRINCIPAL]

Prints the resources that would be deployed, those of nested deployments among them, each with its id, the ids that it
waits for and the ids that its expressions refer to; and the outputs. Fails on what Resource Manager would refuse: an
unknown function, parameter or variable, a bad value of a parameter, a dependency on nothing, a reference to a resource
that is not waited for, a cycle. PRINCIPAL is that of the identity, which is another one each time that one is made.
"""

import hashlib
import json
import re
import sys
import uuid

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
GROUP = "my-rg"
TOKEN = re.compile(r"\s*(?:'((?:[^']|'')*)'|(-?\d+)|([A-Za-z_]\w*)|([()\[\],.]))")
TYPES = {"string": str, "securestring": str, "int": int, "bool": bool, "object": dict, "secureObject": dict, "array": list}

# What Azure knows of a resource once it is deployed.
RUNTIME = {
    "Microsoft.ManagedIdentity/userAssignedIdentities": {
        "principalId": "00000000-0000-0000-0000-00000000000a",
        "clientId": "00000000-0000-0000-0000-00000000000b",
    },
    "Microsoft.Storage/storageAccounts": {"primaryEndpoints": {"blob": "https://storage.example/"}},
    "Microsoft.Insights/components": {"ConnectionString": "InstrumentationKey=00000000-0000-0000-0000-00000000000c"},
}


class Refused(Exception):
    """Resource Manager would not deploy the template."""


def main():
    template, parameters = (json.load(open(path, encoding="utf-8")) for path in sys.argv[1:3])
    given = {name: parameter["value"] for name, parameter in parameters["parameters"].items()}
    for principal in sys.argv[3:]:
        RUNTIME["Microsoft.ManagedIdentity/userAssignedIdentities"]["principalId"] = principal
    deployment = Deployment(template, given, SUBSCRIPTION, GROUP)
    resources = deployment.resolve()
    outputs = {name: deployment.value(output["value"]) for name, output in template.get("outputs", {}).items()}
    print(json.dumps({"resources": resources, "outputs": outputs}))


class Deployment:
    """One template in one resource group."""

    def __init__(self, template, given, subscription, group):
        self.template, self.subscription, self.group = template, subscription, group
        self.referenced = set()
        self.parameters = {}
        for name in given:
            if name not in template.get("parameters", {}):
                raise Refused(f"there is no parameter {name}")
        for name, declared in template.get("parameters", {}).items():
            self.parameters[name] = self.parameter(name, declared, given)

    def parameter(self, name, declared, given):
        if name not in given and "defaultValue" not in declared:
            raise Refused(f"the parameter {name} is missing")
        value = given[name] if name in given else self.value(declared["defaultValue"])
        kind = TYPES[declared["type"]]
        size = value if kind is int else len(value) if kind is str else 0
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise Refused(f"the parameter {name} is no {declared['type']}")
        if value not in declared.get("allowedValues", [value]):
            raise Refused(f"the parameter {name} has a value that is not allowed")
        low = declared.get("minValue", declared.get("minLength", size))
        if not low <= size <= declared.get("maxValue", declared.get("maxLength", size)):
            raise Refused(f"the parameter {name} is out of its range")
        return value

    def resolve(self):
        """The resources that are deployed, in the template's order."""
        deployed, conditional = [], set()
        for resource in self.template["resources"]:
            self.referenced = set()
            resource = {key: value for key, value in resource.items() if key != "comments"}
            kept = self.value(resource.pop("condition", True))
            template = None
            if resource["type"] == "Microsoft.Resources/deployments":
                resource["properties"] = dict(resource["properties"])
                template = resource["properties"].pop("template")
            resolved = self.value(resource)
            identity = self.identity(resolved)
            waits_for = resolved.pop("dependsOn", [])
            if not kept:
                conditional.add(identity)
                continue
            deployed.append({"id": identity, "waits_for": waits_for, "refers_to": sorted(self.referenced), "resource": resolved})
            if template:
                deployed += self.nested(resolved, template)
        for resource in deployed:
            resource["waits_for"] = [identity for identity in resource["waits_for"] if identity not in conditional]
        check_dependencies({resource["id"]: resource for resource in deployed})
        return deployed

    def nested(self, resolved, template):
        if resolved["properties"]["expressionEvaluationOptions"]["scope"] != "inner":
            raise Refused("only inner scopes are understood")
        given = {name: parameter["value"] for name, parameter in resolved["properties"]["parameters"].items()}
        subscription = resolved.get("subscriptionId", self.subscription)
        return Deployment(template, given, subscription, resolved.get("resourceGroup", self.group)).resolve()

    def identity(self, resource):
        """A resource's id: that of an extension starts with what it extends."""
        names = resource["name"].split("/")
        if "scope" in resource:
            return f"{resource['scope']}/providers/{resource['type']}/{resource['name']}"
        return self.resource_id([resource["type"], *names])

    def resource_id(self, arguments):
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}/providers/" + typed_name(*arguments)

    def value(self, value):
        """A JSON value with its expressions evaluated."""
        if isinstance(value, dict):
            return {self.value(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if not isinstance(value, str) or not value.startswith("["):
            return value
        if value.startswith("[["):
            return value[1:]
        if not value.endswith("]"):
            raise Refused(f"{value} begins as an expression and does not end as one")
        return Expression(value[1:-1], self).evaluate()

    def call(self, name, arguments):
        match name, arguments:
            case "parameters", [key]:
                return known(self.parameters, key, "parameter")
            case "variables", [key]:
                return self.value(known(self.template.get("variables", {}), key, "variable"))
            case "resourceGroup", []:
                identity = f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
                return {"id": identity, "name": self.group, "location": "westeurope"}
            case "subscription", []:
                return {"subscriptionId": self.subscription, "id": f"/subscriptions/{self.subscription}"}
            case "environment", []:
                return {"name": "AzureCloud"}
            case "resourceId", _:
                identity = self.resource_id(arguments)
                self.referenced.add(identity)
                return identity
            case "subscriptionResourceId", _:
                return f"/subscriptions/{self.subscription}/providers/" + typed_name(*arguments)
            case "extensionResourceId", [extended, *rest]:
                return f"{extended}/providers/" + typed_name(*rest)
            case "reference", [identity, version]:
                assert re.fullmatch(r"\d{4}-\d\d-\d\d", version), version
                return known(RUNTIME, "/".join(identity.split("/")[6:8]), "kind of resource")
            case "uniqueString", _:
                return hashlib.sha256("|".join(arguments).encode()).hexdigest()[:13]
            case "guid", _:
                return str(uuid.uuid5(uuid.NAMESPACE_URL, "|".join(arguments)))
            case "concat", _:
                return "".join(arguments)
            case "format", [pattern, *rest]:
                return re.sub(r"\{(\d+)\}", lambda match: str(rest[int(match[1])]), pattern)
            case "string", [value]:
                return value if isinstance(value, str) else str(value)
            case "split", [text, separator]:
                return text.split(separator)
            case "empty", [value]:
                return not value
            case "toLower", [str(text)]:
                return text.lower()
            case "equals", [one, other]:
                return one == other
            case "and", [*values]:
                return all(values)
            case "not", [value]:
                return not value
            case "if", [condition, yes, no]:
                return yes if condition else no
            case "createArray", _:
                return arguments
            case "createObject", _:
                return dict(zip(arguments[::2], arguments[1::2], strict=True))
            case "union", _:
                return {key: value for argument in arguments for key, value in argument.items()}
        raise Refused(f"the function {name} of {len(arguments)} arguments is not understood")


class Expression:
    """`call(argument, 'text', 1).member[0]`"""

    def __init__(self, text, deployment):
        self.text, self.at, self.deployment = text, 0, deployment

    def evaluate(self):
        value = self.operand()
        if self.at != len(self.text):
            raise Refused(f"{self.text} goes on after its end")
        return value

    def token(self):
        match = TOKEN.match(self.text, self.at)
        if not match:
            raise Refused(f"{self.text} cannot be read from character {self.at}")
        self.at = match.end()
        return match.groups()

    def peek(self, symbol):
        match = TOKEN.match(self.text, self.at)
        return bool(match) and match[4] == symbol

    def operand(self):
        text, number, name, symbol = self.token()
        if text is not None:
            return text.replace("''", "'")
        if number is not None:
            return int(number)
        if name is None or not self.peek("("):
            raise Refused(f"{self.text}: {name or symbol} is no value")
        return self.members(self.deployment.call(name, self.arguments()))

    def arguments(self):
        self.token()
        arguments = []
        while not self.peek(")"):
            arguments.append(self.operand())
            if not self.peek(")") and self.token()[3] != ",":
                raise Refused(f"{self.text} lacks a comma")
        self.token()
        return arguments

    def members(self, value):
        while self.peek(".") or self.peek("["):
            if self.token()[3] == ".":
                value = known(value, self.token()[2], "member")
            else:
                value = value[self.operand()]
                self.token()
        return value


def typed_name(kind, *names):
    provider, *kinds = kind.split("/")
    if len(kinds) != len(names):
        raise Refused(f"{kind} has {len(kinds)} names, not {len(names)}")
    return "/".join([provider, *(part for pair in zip(kinds, names) for part in pair)])


def known(values, key, meaning):
    if key not in values:
        raise Refused(f"there is no {meaning} {key}")
    return values[key]


def check_dependencies(resources):
    """What a resource waits for is there, and it waits, at least through others, for all that it refers to."""
    for identity, resource in resources.items():
        waits_for, next_ones = set(), resource["waits_for"]
        while next_ones:
            for needed in next_ones:
                known(resources, needed, f"resource that {identity} could wait for:")
            waits_for.update(next_ones)
            next_ones = [further for needed in next_ones for further in resources[needed]["waits_for"] if further not in waits_for]
        if identity in waits_for:
            raise Refused(f"{identity} waits for itself")
        parents = {other for other in resources if identity.startswith(f"{other}/")}
        missed = (resources.keys() & {*resource["refers_to"], *parents}) - waits_for - {identity}
        if missed:
            raise Refused(f"{identity} refers to {sorted(missed)} without waiting for it")


if __name__ == "__main__":
    try:
        main()
    except Refused as refusal:
        sys.exit(f"refused: {refusal}")
