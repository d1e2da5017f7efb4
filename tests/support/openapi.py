"""Checks the structure of an OpenAPI 3.1 document: what the specification demands of the parts that we use."""

import re

OPERATIONS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
TYPES = {"null", "boolean", "object", "array", "number", "string", "integer"}
OPERATION_FIELDS = {"operationId", "summary", "description", "tags", "parameters", "requestBody", "responses", "security", "deprecated"}


def resolve(document, value):
    """What a reference leads to, or the value itself."""
    if "$ref" not in value:
        return value
    node = document
    assert value["$ref"].startswith("#/"), value
    for part in value["$ref"][2:].split("/"):
        node = node[part]
    return node


def operations(document):
    """(method in capitals, path, operation) of each."""
    return [(method.upper(), path, operation) for path, item in document["paths"].items() for method, operation in item.items()]


def check(document):
    """Fails with what is wrong."""
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert isinstance(document["info"]["title"], str) and isinstance(document["info"]["version"], str)
    assert document["paths"]
    schemes = document["components"]["securitySchemes"]
    assert all(set(need) <= set(schemes) for need in document["security"])
    assert {schemes[name]["type"] for name in schemes} <= {"http", "apiKey", "oauth2", "openIdConnect", "mutualTLS"}
    seen = set()
    for path, item in document["paths"].items():
        assert path.startswith("/") and set(item) <= OPERATIONS, path
        for operation in item.values():
            check_operation(document, path, operation)
            assert operation["operationId"] not in seen, operation["operationId"]
            seen.add(operation["operationId"])
    for schema in document["components"]["schemas"].values():
        check_schema(document, schema)


def check_operation(document, path, operation):
    where = (path, operation["operationId"])
    assert set(operation) <= OPERATION_FIELDS and operation["summary"], where
    parameters = operation.get("parameters", [])
    assert len({(p["name"], p["in"]) for p in parameters}) == len(parameters), where
    assert {p["name"] for p in parameters if p["in"] == "path"} == set(re.findall(r"\{(\w+)\}", path)), where
    for parameter in parameters:
        assert parameter["in"] in ("path", "query") and parameter["description"], where
        assert parameter["required"] is True or parameter["in"] == "query", where
        check_schema(document, parameter["schema"])
    if "requestBody" in operation:
        check_content(document, operation["requestBody"]["content"])
    assert operation["responses"], where
    for status, response in operation["responses"].items():
        assert re.fullmatch(r"[1-5]\d\d|default", status), where
        response = resolve(document, response)
        assert response["description"], where
        check_content(document, response.get("content", {}))


def check_content(document, content):
    for media_type, body in content.items():
        assert re.fullmatch(r"[a-z]+/[a-z.+-]+", media_type)
        check_schema(document, body["schema"])


def check_schema(document, schema):
    schema = resolve(document, schema)
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    assert types and set(types) <= TYPES, schema
    for inner in schema.get("properties", {}).values():
        check_schema(document, inner)
    assert set(schema.get("required", [])) <= set(schema.get("properties", {})), schema
